# shellcheck shell=bash
# The docker command alone, no daemon: login and logout then speak to the registry themselves.
needs docker

# $1 wires: credHelpers and credsStore differ in what is asked and erased.
login_and_logout() {
    "$1"
    with_stdin wonderland docker login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    client docker logout "$REGISTRY"
    holds_nothing "$REGISTRY"
    refused docker manifest inspect "$REGISTRY/private/app:docker"
}

claim 'docker login stores through credHelpers and not in the plain file, logout erases' login_and_logout wire_cred_helpers
claim 'docker login stores through credsStore and not in the plain file, logout erases' login_and_logout wire_creds_store

wrong_password() {
    wire_creds_store
    if with_stdin wrong docker login --username alice --password-stdin "$REGISTRY"; then return 1; fi
    holds_nothing "$REGISTRY"
}
claim 'docker login with a wrong password stores nothing' wrong_password

# The bearer registry's token server hands docker a refresh token, and that is what docker then keeps.
login_with_identity_token() {
    wire_creds_store
    with_stdin bearer-secret docker login --username carol --password-stdin "$BEARER"
    [ "$(held "$BEARER")" = '<token> identity-token-of-carol' ]
    client docker manifest inspect "$BEARER/private/app:docker"
    client docker logout "$BEARER"
    holds_nothing "$BEARER"
}
claim 'docker login keeps the identity token of a registry that gives one, and uses it' login_with_identity_token

inspects_manifest() {
    "$1"
    works_only_through_helper "$2" docker manifest inspect "$2/private/app:docker"
}
claim 'docker manifest inspect reads a private image through credHelpers' inspects_manifest wire_cred_helpers "$REGISTRY"
claim 'docker manifest inspect reads a private image through credsStore' inspects_manifest wire_creds_store "$REGISTRY"
claim 'docker manifest inspect uses the credential of host:5443' inspects_manifest wire_cred_helpers "$OTHER_PORT"
claim 'docker manifest inspect works with bearer tokens' inspects_manifest wire_creds_store "$BEARER"

anonymous() {
    "$1"
    works_anonymously docker manifest inspect "$BEARER/public/app:docker"
}
claim 'docker manifest inspect reads a public image anonymously with credHelpers' anonymous wire_cred_helpers
claim 'docker manifest inspect reads a public image anonymously with credsStore' anonymous wire_creds_store

# docker logout erases the host, http:// and https:// of what was typed, port included.
logout_of_port_80() {
    wire_creds_store
    keep harbor.example.com host-user host-secret
    keep harbor.example.com:80 port-user port-secret
    client docker logout harbor.example.com:80
    holds_nothing harbor.example.com:80
    [ "$(held harbor.example.com)" = 'host-user host-secret' ]
}
claim 'docker logout of host:80 leaves the login of the host itself' logout_of_port_80
