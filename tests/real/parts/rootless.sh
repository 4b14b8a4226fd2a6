# shellcheck shell=bash
# podman without root: in a user namespace in which it is uid 0, and the host's root has no number. The helper runs there
# too, and is run outside as well, by the same user.
needs podman newuidmap newgidmap setpriv

ROOTLESS=12345 STRANGER=54321
AS_ROOTLESS=(setpriv "--reuid=$ROOTLESS" "--regid=$ROOTLESS" --clear-groups)
PODMAN=(podman --storage-driver vfs --cgroup-manager cgroupfs --events-backend file)
IMAGE=$REGISTRY/private/app:1

# An account with subordinate ids, in this world alone.
make_rootless_user() {
    local file
    for file in passwd group subuid subgid; do
        cp "/etc/$file" "$WORLD/$file"
    done
    echo "rootless:x:$ROOTLESS:$ROOTLESS::/nonexistent:/bin/sh" >>"$WORLD/passwd"
    echo "rootless:x:$ROOTLESS:" >>"$WORLD/group"
    echo 'rootless:200000:65536' | tee "$WORLD/subuid" >"$WORLD/subgid"
    for file in passwd group subuid subgid; do
        mount --bind "$WORLD/$file" "/etc/$file"
    done
    chmod 711 "$WORLD"
}

[ -n "$MISSING" ] || "${AS_ROOTLESS[@]}" unshare --user --map-root-user true 2>/dev/null ||
    lacks 'user namespaces for those who are not root'
[ -n "$MISSING" ] || make_rootless_user

# The claim's user. What calls the helper is noted with its uid there and the uid that it is outside.
be_rootless() {
    local runtime=$CLIENT_HOME/runtime bin=$CLIENT_HOME/bin
    mkdir -m 700 "$runtime"
    mkdir "$bin"
    cat >"$bin/docker-credential-beta9" <<SCRIPT
#!/bin/sh
read -r inside outside count </proc/self/uid_map
echo "\$1 as \$(id -u), which is \$((outside + \$(id -u) - inside))" >>"\$HOME/called"
exec '$WORLD/helper' "\$@"
SCRIPT
    chmod +x "$bin/docker-credential-beta9"
    chown -R "$ROOTLESS:$ROOTLESS" "$CLIENT_HOME"
    # shellcheck disable=SC2034  # lib/world.sh uses it
    CLIENT_AS=("${AS_ROOTLESS[@]}")
    CLIENT_ENV+=("XDG_RUNTIME_DIR=$runtime" "PATH=$bin:$PATH")
}

called() {
    cat "$CLIENT_HOME/called"
    grep -qx "$1" "$CLIENT_HOME/called"
}

# $1 wires.
pulls() {
    "$1"
    be_rootless
    works_only_through_helper "$REGISTRY" "${PODMAN[@]}" pull "$IMAGE"
    called "get as 0, which is $ROOTLESS"
    called "store as $ROOTLESS, which is $ROOTLESS"
}
claim 'podman without root pulls a private image through credHelpers' pulls wire_cred_helpers
claim 'podman without root pulls a private image through credential-helpers in registries.conf' \
    pulls wire_registries_conf

stores_inside() {
    wire_auth_file
    be_rootless
    with_stdin wonderland "${PODMAN[@]}" unshare "${PODMAN[@]}" login --username alice --password-stdin "$REGISTRY"
    called "store as 0, which is $ROOTLESS"
    not_in_plain_file alice wonderland
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    [ "$(client "${PODMAN[@]}" unshare "${PODMAN[@]}" login --get-login "$REGISTRY")" = alice ]
    client "${PODMAN[@]}" pull "$IMAGE"
    client "${PODMAN[@]}" unshare "${PODMAN[@]}" logout "$REGISTRY"
    holds_nothing "$REGISTRY"
}
claim 'what podman login stores inside its user namespace is answered outside too, and logout erases it' stores_inside

# $1 is the owner of a configuration, and $2 what is said of it.
refuses() {
    wire_cred_helpers
    be_rootless
    keep "$REGISTRY"
    local config=$WORLD/steers-$1.toml
    echo 'workspace = "steered"' >"$config"
    chown "$1:$1" "$config"
    CLIENT_ENV+=("BETA9_CREDENTIAL_CONFIG=$config")
    shows "$config belongs to uid $2" "${PODMAN[@]}" pull "$IMAGE"
}
claim 'in the user namespace a configuration of somebody who is not in it steers nothing' refuses "$STRANGER" 65534
claim 'in the user namespace a configuration of a subordinate uid steers nothing' refuses 200010 11
