# shellcheck shell=bash
# skopeo: reads credHelpers from auth files (docker's too) and credential-helpers from registries.conf; no credsStore.
needs skopeo

IMAGE=docker://$REGISTRY/private/app:1

reads_private_image() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" skopeo inspect "$IMAGE"
}
claim 'skopeo inspects a private image through credHelpers' reads_private_image

lists_tags() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" skopeo list-tags "docker://$REGISTRY/private/app"
}
claim 'skopeo lists the tags of a private repository through credHelpers' lists_tags

copies_down() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" skopeo copy "$IMAGE" "oci:$CLIENT_HOME/copy:1"
    diff -r "$CLIENT_HOME/copy/blobs" "$LAYOUT/blobs"
}
claim 'skopeo copies a private image down, byte for byte, through credHelpers' copies_down

copies_up() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" skopeo copy "oci:$LAYOUT:1" "docker://$REGISTRY/private/by-skopeo:1"
    has_image private/by-skopeo:1
}
claim 'skopeo copies an image up to a private repository through credHelpers' copies_up

other_port() {
    wire_cred_helpers
    keep "$REGISTRY"
    works_only_through_helper "$OTHER_PORT" skopeo inspect "docker://$OTHER_PORT/private/app:1"
    client skopeo inspect "$IMAGE"
}
claim 'skopeo gets the credential of host:5443, not that of the same host on 443' other_port

through_auth_file() {
    wire_auth_file
    works_only_through_helper "$REGISTRY" skopeo inspect "$IMAGE"
}
claim 'skopeo inspects a private image through credHelpers in REGISTRY_AUTH_FILE' through_auth_file

through_registries_conf() {
    wire_registries_conf
    works_only_through_helper "$REGISTRY" skopeo inspect "$IMAGE"
}
claim 'skopeo inspects a private image through credential-helpers in registries.conf' through_registries_conf

through_bearer() {
    wire_cred_helpers
    works_only_through_helper "$BEARER" skopeo copy "docker://$BEARER/private/app:1" "oci:$CLIENT_HOME/copy:1"
}
claim 'skopeo copies a private image from a registry that hands out bearer tokens' through_bearer

login_and_logout() {
    wire_auth_file
    with_stdin wonderland skopeo login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    client skopeo inspect "$IMAGE"
    client skopeo logout "$REGISTRY"
    holds_nothing "$REGISTRY"
}
claim 'skopeo login stores through the helper and not in the file, logout erases' login_and_logout

identity_token() {
    wire_cred_helpers
    works_with_identity_token skopeo inspect "docker://$BEARER/private/app:1"
}
claim 'skopeo inspects a private image with an identity token, stored as <token>' identity_token

anonymous() {
    wire_cred_helpers
    works_anonymously skopeo inspect "docker://$BEARER/public/app:1"
    wire_registries_conf
    works_anonymously skopeo inspect "docker://$BEARER/public/app:1"
}
claim 'skopeo inspects a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_cred_helpers
    shows_hard_failure "$BEARER" skopeo inspect "docker://$BEARER/public/app:1"
}
claim "skopeo shows the helper's own line when the helper fails" hard_failure
