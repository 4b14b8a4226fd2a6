# shellcheck shell=bash
# go-containerregistry's default keychain: crane, ko, kaniko and many more.
CLIENT=$BUILT/go/keychain
needs "$CLIENT"

# $1 wires, $2 is the registry.
pulls() {
    "$1"
    works_only_through_helper "$2" "$CLIENT" pull "$2/private/app:1"
}
claim 'go-containerregistry pulls a private image through credHelpers' pulls wire_cred_helpers "$REGISTRY"
claim 'go-containerregistry pulls a private image through credsStore' pulls wire_creds_store "$REGISTRY"
claim 'go-containerregistry pulls with the credential of host:5443' pulls wire_cred_helpers "$OTHER_PORT"
claim 'go-containerregistry pulls a private image with bearer tokens' pulls wire_creds_store "$BEARER"

pushes() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" "$CLIENT" copy "$BEARER/public/app:1" "$REGISTRY/private/by-crane:1"
    has_image private/by-crane:1
}
claim 'go-containerregistry pushes an image through credHelpers' pushes

identity_token() {
    wire_cred_helpers
    works_with_identity_token "$CLIENT" pull "$BEARER/private/app:1"
}
claim 'go-containerregistry pulls with an identity token' identity_token

anonymous() {
    wire_creds_store
    works_anonymously "$CLIENT" pull "$BEARER/public/app:1"
}
claim 'go-containerregistry pulls a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_creds_store
    shows_hard_failure "$BEARER" "$CLIENT" pull "$BEARER/public/app:1"
}
claim "go-containerregistry shows the helper's own line when the helper fails" hard_failure
