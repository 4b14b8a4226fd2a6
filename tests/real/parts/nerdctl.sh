# shellcheck shell=bash
# nerdctl's own resolver, which asks the helper that the configuration of `with nerdctl` names.
needs "$BUILT/containerd/nerdctl"

NERDCTL=("$BUILT/containerd/nerdctl" pull)

pulls() {
    local host=$1 image=$1/private/app:1
    refused "${NERDCTL[@]}" "$image"
    refused docker-credential-beta9 with "${NERDCTL[@]}" "$image"
    keep "$host"
    refused "${NERDCTL[@]}" "$image"
    CLIENT_ENV+=("XDG_RUNTIME_DIR=$CLIENT_HOME")
    rm -f "$CLIENT_HOME/asked"
    client docker-credential-beta9 with "${NERDCTL[@]}" "$image" | grep -x 'sha256:[0-9a-f]*'
    grep -qx get "$CLIENT_HOME/asked"
    [ "$(find "$CLIENT_HOME" -name config.json -exec cat {} +)" = '{"credsStore":"beta9"}' ]
}
claim 'with nerdctl: a private image, from a registry with passwords' pulls "$REGISTRY"
claim 'with nerdctl: a private image, from a registry that hands out bearer tokens' pulls "$BEARER"

keeps_its_own() {
    shows 'pull IMAGE' docker-credential-beta9 with "$BUILT/containerd/nerdctl" --help
    keep "$REGISTRY" alice wrong
    refused docker-credential-beta9 with "${NERDCTL[@]}" "$REGISTRY/private/app:1"
}
claim "with nerdctl: a command that is no pull runs unchanged, and a refused login is nerdctl's own failure" keeps_its_own
