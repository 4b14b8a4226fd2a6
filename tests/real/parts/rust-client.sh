# shellcheck shell=bash
# The crate docker_credential. It resolves and does not pull; "not found" is an error like any other to it.
CLIENT=$BUILT/rust/debug/rust-client
needs "$CLIENT"

# $1 wires.
resolves() {
    "$1"
    keep "$REGISTRY"
    [ "$(client "$CLIENT" "$REGISTRY")" = 'alice wonderland' ]
    unwire
    shows 'no credential configured' "$CLIENT" "$REGISTRY"
    rewire
    forget "$REGISTRY"
    shows 'credentials not found in native keychain' "$CLIENT" "$REGISTRY"
}
claim "Rust's docker_credential resolves through credHelpers" resolves wire_cred_helpers
claim "Rust's docker_credential resolves through credsStore" resolves wire_creds_store

resolves_identity_token() {
    wire_cred_helpers
    keep "$BEARER" '<token>' identity-token-of-carol
    [ "$(client "$CLIENT" "$BEARER")" = 'identity token identity-token-of-carol' ]
}
claim "Rust's docker_credential recognises an identity token" resolves_identity_token

hard_failure() {
    wire_cred_helpers
    shows_hard_failure "$REGISTRY" "$CLIENT" "$REGISTRY"
}
claim "Rust's docker_credential shows the helper's own line when the helper fails" hard_failure
