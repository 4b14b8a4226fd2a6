# shellcheck shell=bash
# A real docker daemon: docker asks the helper and hands what it got to the daemon, which pulls, pushes and builds.
needs docker
with_dockerd

DOCKER=(docker --host "$DOCKERD_HOST")
IMAGE=$REGISTRY/private/app:1

# $1 wires, $2 is the registry.
pulls() {
    "$1"
    works_only_through_helper "$2" "${DOCKER[@]}" pull "$2/private/app:1"
}
claim 'docker pulls a private image through credHelpers' pulls wire_cred_helpers "$REGISTRY"
claim 'docker pulls a private image through credsStore' pulls wire_creds_store "$REGISTRY"
claim 'docker pulls with the credential of host:5443' pulls wire_cred_helpers "$OTHER_PORT"
claim 'docker pulls a private image with bearer tokens' pulls wire_creds_store "$BEARER"

pushes() {
    "$1"
    client "${DOCKER[@]}" pull "$BEARER/public/app:1"
    client "${DOCKER[@]}" tag "$BEARER/public/app:1" "$REGISTRY/private/$2:1"
    works_only_through_helper "$REGISTRY" "${DOCKER[@]}" push "$REGISTRY/private/$2:1"
    has_image "private/$2:1"
}
claim 'docker pushes an image through credHelpers' pushes wire_cred_helpers by-docker
claim 'docker pushes an image through credsStore' pushes wire_creds_store by-docker-with-store

# The classic builder sends every credential there is: with credsStore it lists them, and gets each.
builds() {
    wire_creds_store
    CLIENT_ENV+=(DOCKER_BUILDKIT=0)
    mkdir "$CLIENT_HOME/context"
    printf 'FROM %s\nLABEL built=yes\n' "$IMAGE" >"$CLIENT_HOME/context/Dockerfile"
    works_only_through_helper "$REGISTRY" "${DOCKER[@]}" build --pull --no-cache "$CLIENT_HOME/context"
    grep -qx list "$CLIENT_HOME/asked"
}
claim 'docker build finds a private base image in what the helper lists' builds

login_and_logout() {
    wire_creds_store
    with_stdin wonderland "${DOCKER[@]}" login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    client "${DOCKER[@]}" pull "$IMAGE"
    client "${DOCKER[@]}" logout "$REGISTRY"
    holds_nothing "$REGISTRY"
    refused "${DOCKER[@]}" pull "$IMAGE"
}
claim 'docker login through the daemon stores through the helper, logout erases' login_and_logout

identity_token() {
    wire_cred_helpers
    works_with_identity_token "${DOCKER[@]}" pull "$BEARER/private/app:1"
}
claim 'docker pulls with an identity token, stored as <token>' identity_token

anonymous() {
    "$1"
    works_anonymously "${DOCKER[@]}" pull "$BEARER/public/app:1"
}
claim 'docker pulls a public image anonymously with credHelpers' anonymous wire_cred_helpers
claim 'docker pulls a public image anonymously with credsStore' anonymous wire_creds_store

hard_failure() {
    wire_cred_helpers
    shows_hard_failure "$BEARER" "${DOCKER[@]}" pull "$BEARER/public/app:1"
}

# Before version 29 docker took every failure of a helper for "nothing stored", and said nothing.
hard_failure_unseen() {
    wire_cred_helpers
    CLIENT_ENV+=('BETA9_IMAGE_CREDENTIALS={broken')
    works_anonymously "${DOCKER[@]}" pull "$BEARER/public/app:1"
}

if [[ $(docker --version 2>/dev/null) =~ ([0-9]+)\. ]] && [ "${BASH_REMATCH[1]}" -lt 29 ]; then
    claim "docker ${BASH_REMATCH[1]} pulls a public image anonymously when the helper fails (29 shows its line)" \
        hard_failure_unseen
else
    claim "docker shows the helper's own line when the helper fails" hard_failure
fi
