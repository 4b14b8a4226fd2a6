# shellcheck shell=bash
# podman: the same library as skopeo, with storage of its own. It does not read docker's credsStore.
needs podman

# podman ARGUMENT… as the claim's user, with all its state in the scratch directory.
PODMAN=(podman --root "$WORLD/podman/root" --runroot "$WORLD/podman/run" --tmpdir "$WORLD/podman/tmp" --storage-driver vfs
    --cgroup-manager cgroupfs --events-backend file)
IMAGE=$REGISTRY/private/app:1

pulls_through_cred_helpers() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" "${PODMAN[@]}" pull "$IMAGE"
}
claim 'podman pulls a private image through credHelpers' pulls_through_cred_helpers

pulls_through_registries_conf() {
    wire_registries_conf
    works_only_through_helper "$OTHER_PORT" "${PODMAN[@]}" pull "$OTHER_PORT/private/app:1"
}
claim 'podman pulls a private image through credential-helpers in registries.conf' pulls_through_registries_conf

pulls_with_bearer_token() {
    wire_auth_file
    works_only_through_helper "$BEARER" "${PODMAN[@]}" pull "$BEARER/private/app:1"
}
claim 'podman pulls a private image from a registry that hands out bearer tokens' pulls_with_bearer_token

pushes() {
    wire_cred_helpers
    client "${PODMAN[@]}" pull "$BEARER/public/app:1"
    works_only_through_helper "$REGISTRY" "${PODMAN[@]}" push "$BEARER/public/app:1" "$REGISTRY/private/by-podman:1"
    has_image private/by-podman:1
}
claim 'podman pushes an image through credHelpers' pushes

# $1 wires.
login_and_logout() {
    "$1"
    with_stdin wonderland "${PODMAN[@]}" login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    client "${PODMAN[@]}" pull "$IMAGE"
    client "${PODMAN[@]}" logout "$REGISTRY"
    holds_nothing "$REGISTRY"
    refused "${PODMAN[@]}" pull "$IMAGE"
}
claim 'podman login stores through credHelpers and not in the auth file, logout erases' \
    login_and_logout wire_auth_file
claim 'podman login stores through registries.conf and not in the auth file, logout erases' \
    login_and_logout wire_registries_conf

logout_all() {
    wire_registries_conf
    keep "$REGISTRY"
    keep "$BEARER"
    client "${PODMAN[@]}" logout --all
    holds_nothing "$REGISTRY"
    holds_nothing "$BEARER"
}
claim 'podman logout --all erases everything that the helper lists' logout_all

wrong_password() {
    wire_auth_file
    if with_stdin wrong "${PODMAN[@]}" login --username alice --password-stdin "$REGISTRY"; then return 1; fi
    holds_nothing "$REGISTRY"
}
claim 'podman login with a wrong password stores nothing' wrong_password

identity_token() {
    wire_cred_helpers
    works_with_identity_token "${PODMAN[@]}" pull "$BEARER/private/app:1"
}
claim 'podman pulls with an identity token, stored as <token>' identity_token

anonymous() {
    wire_cred_helpers
    works_anonymously "${PODMAN[@]}" pull "$BEARER/public/app:1"
}
claim 'podman pulls a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_cred_helpers
    shows_hard_failure "$BEARER" "${PODMAN[@]}" pull "$BEARER/public/app:1"
}
claim "podman shows the helper's own line when the helper fails" hard_failure
