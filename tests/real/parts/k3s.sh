# shellcheck shell=bash
# k3s, RKE2 and Rancher's agent: kubelet's own code with what `configure kubelet` has put where their agents look.
needs "$BUILT/kubelet"

# on_k3s COMMAND…: in mounts of its own, with a /var/lib in which k3s has been.
on_k3s() {
    # shellcheck disable=SC2016 # the shell inside expands it
    client unshare --mount sh -ec 'mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/rancher/k3s; exec "$@"' sh "$@"
}

# shellcheck disable=SC2016 # the shell inside expands it
# What an agent of k3s does before it starts kubelet (ImageCredProvAvailable in pkg/daemons/agent/agent.go), and kubelet then.
AGENT='
lookup() {
    dir=/var/lib/rancher/credentialprovider
    [ -d "$dir/bin" ] && [ -e "$dir/config.yaml" ] && [ ! -d "$dir/config.yaml" ] || { echo "$2 no provider"; return; }
    "$1" lookup "$dir/config.yaml" "$dir/bin" "$2"
}
'

finds() {
    local image=$REGISTRY/private/app program=/var/lib/rancher/credentialprovider/bin/docker-credential-beta9
    keep "$REGISTRY"
    # shellcheck disable=SC2016
    on_k3s sh -ec "$AGENT"'
        lookup "$1" "$2"
        "$3" configure kubelet --hosts "${2%%/*}" >"$HOME/said"
        stat -c "%a %u:%g" '"$program"'
        lookup "$1" "$2"
        "$3" configure kubelet --undo >>"$HOME/said"
        lookup "$1" "$2"
        find /var/lib/rancher' sh "$BUILT/kubelet" "$image" "$WORLD/helper" >"$CLIENT_HOME/found"
    cat "$CLIENT_HOME/said"
    diff "$CLIENT_HOME/found" - <<FOUND
$image no provider
755 0:0
$image alice wonderland
$image no provider
/var/lib/rancher
/var/lib/rancher/k3s
FOUND
}
claim "k3s' agent finds what configure kubelet puts there, kubelet gets the credential by it, and --undo ends that" finds

# Kubelet does not start where a program is missing: another provider's entry stays with its program.
joins() {
    local image=$REGISTRY/private/app
    keep "$REGISTRY"
    # shellcheck disable=SC2016
    on_k3s sh -ec "$AGENT"'
        mkdir -p /var/lib/rancher/credentialprovider/bin
        cd /var/lib/rancher/credentialprovider
        printf "#!/bin/sh\nexit 1\n" >bin/other
        chmod 755 bin/other
        printf "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: other\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: 0s\n  matchImages: [other.test]\n" >config.yaml
        cp config.yaml "$HOME/before"
        "$3" configure kubelet --hosts "${2%%/*}" >/dev/null
        lookup "$1" "$2"
        "$3" configure kubelet --undo >/dev/null
        cmp config.yaml "$HOME/before"
        lookup "$1" "$2"' sh "$BUILT/kubelet" "$image" "$WORLD/helper" >"$CLIENT_HOME/found"
    diff "$CLIENT_HOME/found" - <<FOUND
$image alice wonderland
$image none
FOUND
}
claim "another provider of k3s' keeps its entry and its program" joins
