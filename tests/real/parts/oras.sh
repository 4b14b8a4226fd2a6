# shellcheck shell=bash
# oras: asks the helper only after the registry has said 401.
CLIENT=$BUILT/go/oras
needs "$CLIENT"

# $1 wires, $2 is the registry.
pulls() {
    "$1"
    works_only_through_helper "$2" "$CLIENT" pull "$2/private/app:1"
}
claim 'oras pulls a private image through credHelpers' pulls wire_cred_helpers "$REGISTRY"
claim 'oras pulls a private image through credsStore' pulls wire_creds_store "$REGISTRY"
claim 'oras pulls with the credential of host:5443' pulls wire_cred_helpers "$OTHER_PORT"
claim 'oras pulls a private image with bearer tokens' pulls wire_creds_store "$BEARER"

# $1 wires.
login_and_logout() {
    "$1"
    client "$CLIENT" login "$REGISTRY" alice wonderland
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    client "$CLIENT" pull "$REGISTRY/private/app:1"
    client "$CLIENT" logout "$REGISTRY"
    holds_nothing "$REGISTRY"
}
claim 'oras login stores through credHelpers and not in the plain file, logout erases' login_and_logout wire_cred_helpers
claim 'oras login stores through credsStore and not in the plain file, logout erases' login_and_logout wire_creds_store

identity_token() {
    wire_cred_helpers
    works_with_identity_token "$CLIENT" pull "$BEARER/private/app:1"
}
claim 'oras pulls with an identity token' identity_token

anonymous() {
    wire_creds_store
    works_anonymously "$CLIENT" pull "$BEARER/public/app:1"
}
claim 'oras pulls a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_creds_store
    shows_hard_failure "$BEARER" "$CLIENT" pull "$BEARER/public/app:1"
}
claim "oras shows the helper's own line when the helper fails" hard_failure
