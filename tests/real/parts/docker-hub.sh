# shellcheck shell=bash
# Docker Hub has four names. Whatever a client calls it, the one credential stored under Docker Hub's key is found.

IMAGE=docker.io/private/app:1

# The credential is stored under $HUB, and the client asks under a name of its own.
pulls() {
    "$1"
    shift
    works_only_through_helper "$HUB" "$@"
}

needs skopeo
claim 'skopeo finds the Docker Hub credential as docker.io' pulls wire_cred_helpers skopeo inspect "docker://$IMAGE"
claim 'skopeo finds the Docker Hub credential through registries.conf' \
    pulls wire_registries_conf skopeo inspect "docker://$IMAGE"

needs "$BUILT/go/keychain"
claim 'go-containerregistry finds the Docker Hub credential' pulls wire_cred_helpers "$BUILT/go/keychain" pull "$IMAGE"

needs "$BUILT/go/oras"
claim 'oras finds the Docker Hub credential' pulls wire_cred_helpers "$BUILT/go/oras" pull "$IMAGE"

needs docker
with_dockerd
DOCKER=(docker --host "$DOCKERD_HOST")
claim 'docker finds the Docker Hub credential through credHelpers' pulls wire_cred_helpers "${DOCKER[@]}" pull "$IMAGE"
claim 'docker finds the Docker Hub credential through credsStore' pulls wire_creds_store "${DOCKER[@]}" pull "$IMAGE"

login_and_logout() {
    wire_creds_store
    with_stdin hub-secret "${DOCKER[@]}" login --username hubert --password-stdin
    [ "$(held "$HUB")" = 'hubert hub-secret' ]
    client "${DOCKER[@]}" pull "$IMAGE"
    not_in_plain_file hubert hub-secret
    client "${DOCKER[@]}" logout
    holds_nothing "$HUB"
    holds_nothing docker.io
}
claim 'docker login to Docker Hub stores through the helper, logout erases' login_and_logout

login_for_another_client() {
    wire_cred_helpers
    with_stdin hub-secret "${DOCKER[@]}" login --username hubert --password-stdin
    client skopeo inspect "docker://$IMAGE"
    client "${DOCKER[@]}" logout
    refused skopeo inspect "docker://$IMAGE"
}
command -v skopeo >/dev/null || lacks skopeo
claim 'docker login to Docker Hub is enough for skopeo too' login_for_another_client

needs "$BUILT/python/bin/python"
with_dockerd
claim 'docker-py finds the Docker Hub credential' pulls wire_cred_helpers \
    "$BUILT/python/bin/python" "$HERE/python/docker_py.py" pull "$DOCKERD_HOST" "$IMAGE"
