# shellcheck shell=bash
# One docker daemon for all parts that want one.

DOCKERD=$WORLD/dockerd
DOCKERD_HOST=unix://$DOCKERD/socket

# with_dockerd: the claims that follow also need a running daemon.
with_dockerd() {
    command -v dockerd >/dev/null || lacks dockerd
    [ -z "$MISSING" ] || return
    [ -S "$DOCKERD/socket" ] || start_dockerd || lacks "a dockerd that starts: $(tail -n 1 "$DOCKERD.log")"
}

start_dockerd() {
    mkdir -p "$DOCKERD"
    env -i PATH="$PATH" HOME="$DOCKERD" dockerd --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none \
        --host="$DOCKERD_HOST" --data-root="$DOCKERD/data" --exec-root="$DOCKERD/exec" --pidfile="$DOCKERD/pid" \
        >"$DOCKERD.log" 2>&1 &
    wait_for python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$DOCKERD/socket"
}
