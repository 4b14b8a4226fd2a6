# shellcheck shell=bash
# As in a Beta9 worker: nothing is stored, the request for a container brings the credentials in the environment.

IMAGE=$REGISTRY/private/app:1

request_brings_credentials() {
    local secret='{"registry":"registry.test","type":"basic","credentials":{"USERNAME":"alice","PASSWORD":"wonderland"}}'
    CLIENT_ENV+=("BETA9_IMAGE_CREDENTIALS=$secret")
}

# $1 wires; then the command.
works_with_request() {
    "$1"
    shift
    refused "$@"
    request_brings_credentials
    client "$@"
    unwire
    refused "$@"
}

# Nobody else's registry gets them, and a public image stays public.
only_for_its_registry() {
    wire_cred_helpers
    request_brings_credentials
    refused skopeo inspect "docker://$OTHER_PORT/private/app:1"
    works_anonymously skopeo inspect "docker://$BEARER/public/app:1"
}

needs skopeo
claim 'skopeo reads a private image with the credentials of the request' \
    works_with_request wire_registries_conf skopeo inspect "docker://$IMAGE"
claim 'skopeo does not get the credentials of the request for another registry' only_for_its_registry

needs buildah
claim 'buildah starts from a private image with the credentials of the request' works_with_request wire_cred_helpers \
    buildah --root "$WORLD/buildah/root" --runroot "$WORLD/buildah/run" --storage-driver vfs from --pull-always "$IMAGE"

needs "$BUILT/go/clip"
claim 'CLIP indexes a private image with the credentials of the request' \
    works_with_request wire_creds_store "$BUILT/go/clip" index "$IMAGE"

needs docker
with_dockerd
claim 'docker pulls a private image with the credentials of the request' \
    works_with_request wire_creds_store docker --host "$DOCKERD_HOST" pull "$IMAGE"
