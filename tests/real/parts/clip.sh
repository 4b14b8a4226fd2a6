# shellcheck shell=bash
# CLIP, with which a Beta9 worker reads images: go-containerregistry's keychain, behind providers of its own.
CLIENT=$BUILT/go/clip
needs "$CLIENT"

keychain() {
    wire_cred_helpers
    shows 'no credentials' "$CLIENT" keychain "$REGISTRY"
    keep "$REGISTRY"
    [ "$(client "$CLIENT" keychain "$REGISTRY")" = 'alice wonderland' ]
    unwire
    shows 'no credentials' "$CLIENT" keychain "$REGISTRY"
}
claim "CLIP's keychain provider finds the credential through credHelpers" keychain

# $1 wires, $2 is the registry.
indexes() {
    "$1"
    works_only_through_helper "$2" "$CLIENT" index "$2/private/app:1"
}
claim 'CLIP indexes a private image through credHelpers' indexes wire_cred_helpers "$REGISTRY"
claim 'CLIP indexes a private image through credsStore, with bearer tokens' indexes wire_creds_store "$BEARER"

identity_token() {
    wire_cred_helpers
    works_with_identity_token "$CLIENT" index "$BEARER/private/app:1"
}
claim 'CLIP indexes a private image with an identity token, stored as <token>' identity_token

anonymous() {
    wire_creds_store
    works_anonymously "$CLIENT" index "$BEARER/public/app:1"
}
claim 'CLIP indexes a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_creds_store
    shows_hard_failure "$BEARER" "$CLIENT" index "$BEARER/public/app:1"
}
claim "CLIP shows the helper's own line when the helper fails" hard_failure
