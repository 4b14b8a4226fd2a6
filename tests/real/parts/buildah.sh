# shellcheck shell=bash
# buildah: the same library again; what is its own is `from`, which pulls a base image to build on.
needs buildah

BUILDAH=(buildah --root "$WORLD/buildah/root" --runroot "$WORLD/buildah/run" --storage-driver vfs)

pulls() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" "${BUILDAH[@]}" pull --policy always "$REGISTRY/private/app:1"
}
claim 'buildah pulls a private image through credHelpers' pulls

starts_from() {
    wire_cred_helpers
    works_only_through_helper "$BEARER" "${BUILDAH[@]}" from --pull-always "$BEARER/private/app:1"
}
claim 'buildah starts a build from a private base image, with bearer tokens' starts_from

builds() {
    wire_registries_conf
    printf 'FROM %s/private/app:1\nLABEL built=yes\n' "$OTHER_PORT" >"$CLIENT_HOME/Containerfile"
    works_only_through_helper "$OTHER_PORT" "${BUILDAH[@]}" bud --isolation chroot --pull-always --no-cache "$CLIENT_HOME"
}
claim 'buildah builds a Containerfile on a private base image through registries.conf' builds

pushes() {
    wire_cred_helpers
    client "${BUILDAH[@]}" pull "$BEARER/public/app:1"
    works_only_through_helper "$REGISTRY" "${BUILDAH[@]}" push "$BEARER/public/app:1" \
        "docker://$REGISTRY/private/by-buildah:1"
    has_image private/by-buildah:1
}
claim 'buildah pushes an image through credHelpers' pushes

identity_token() {
    wire_cred_helpers
    works_with_identity_token "${BUILDAH[@]}" pull --policy always "$BEARER/private/app:1"
}
claim 'buildah pulls with an identity token, stored as <token>' identity_token

anonymous() {
    wire_cred_helpers
    works_anonymously "${BUILDAH[@]}" pull --policy always "$BEARER/public/app:1"
}
claim 'buildah pulls a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_cred_helpers
    shows_hard_failure "$BEARER" "${BUILDAH[@]}" pull --policy always "$BEARER/public/app:1"
}
claim "buildah shows the helper's own line when the helper fails" hard_failure
