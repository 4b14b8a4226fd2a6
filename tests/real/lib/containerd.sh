# shellcheck shell=bash
# A containerd of the world's own, which is started once and serves all parts, and the pull of its ctr. What pulls through
# CRI finds its hosts.toml below $CONTAINERD/certs.d.

CONTAINERD=$WORLD/containerd
# shellcheck disable=SC2034  # the parts use it
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
[grpc]
  address = "$CONTAINERD/socket"
[plugins."io.containerd.grpc.v1.cri"]
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$CONTAINERD/certs.d"
TOML
    env -i PATH="$PATH" HOME="$CONTAINERD" containerd --config "$CONTAINERD/config.toml" >"$CONTAINERD.log" 2>&1 &
    wait_for ctr --address "$CONTAINERD/socket" version >/dev/null ||
        lacks "a containerd that starts: $(tail -n 1 "$CONTAINERD.log")"
}
