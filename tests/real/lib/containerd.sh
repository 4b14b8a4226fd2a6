# shellcheck shell=bash
# A containerd of the world's own, and the pull of its ctr.

CONTAINERD=$WORLD/containerd
CTR=(ctr --address "$CONTAINERD/socket" images pull --snapshotter native)

# with_containerd: the claims that follow also need a running daemon.
with_containerd() {
    [ -z "$MISSING" ] || return
    # An earlier part may have started it.
    ! ctr --address "$CONTAINERD/socket" version >/dev/null 2>&1 || return 0
    mkdir -p "$CONTAINERD"
    cat >"$CONTAINERD/config.toml" <<TOML
version = 2
root = "$CONTAINERD/root"
state = "$CONTAINERD/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$CONTAINERD/socket"
TOML
    env -i PATH="$PATH" HOME="$CONTAINERD" containerd --config "$CONTAINERD/config.toml" >"$CONTAINERD.log" 2>&1 &
    wait_for ctr --address "$CONTAINERD/socket" version >/dev/null ||
        lacks "a containerd that starts: $(tail -n 1 "$CONTAINERD.log")"
}
