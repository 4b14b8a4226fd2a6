# shellcheck shell=bash
# docker's own client library of the protocol, which docker, crane, oras and buildkit are built with.
CLIENT=$BUILT/go/helper-client
needs "$CLIENT"

round_trip() {
    client "$CLIENT" store "$REGISTRY" alice wonderland
    [ "$(client "$CLIENT" get "$REGISTRY")" = 'alice wonderland' ]
    client "$CLIENT" erase "$REGISTRY"
    shows 'recognised as: not found' "$CLIENT" get "$REGISTRY"
}
claim "docker's client library stores, gets and erases" round_trip

# Everything that JSON, HTML or a shell would escape, and what Go escapes beyond that (U+2028). No control characters:
# Basic authentication cannot carry them (RFC 7617).
odd_characters() {
    local secret=$'a"b\\c<d>&e/f\xe2\x80\xa8g é 😀 ${HOME} $(id) `id` %41 \'h\':i'
    client "$CLIENT" store "$REGISTRY" 'al ice@<x>' "$secret"
    [ "$(client "$CLIENT" get "$REGISTRY")" = "al ice@<x> $secret" ]
}
claim "docker's client library gets back every odd character it stored" odd_characters

long_secret() {
    local secret
    secret=$(printf 'x%.0s' {1..100000})
    client "$CLIENT" store "$REGISTRY" alice "$secret"
    [ "$(client "$CLIENT" get "$REGISTRY")" = "alice $secret" ]
}
claim "docker's client library gets back a secret of 100 000 characters" long_secret

identity_token() {
    client "$CLIENT" store "$BEARER" '<token>' identity-token-of-carol
    [ "$(client "$CLIENT" get "$BEARER")" = '<token> identity-token-of-carol' ]
}
claim "docker's client library gets back an identity token under the user name <token>" identity_token

lists() {
    [ -z "$(client "$CLIENT" list)" ]
    keep "$REGISTRY"
    keep "$OTHER_PORT"
    local server user
    while read -r server user; do
        [ "$(client "$CLIENT" get "$server")" = "$user $([ "$user" = alice ] && echo wonderland || echo builder)" ]
    done < <(client "$CLIENT" list)
    [ "$(client "$CLIENT" list | wc -l)" = 2 ]
}
claim "docker's client library lists nothing at first, then keys that get accepts as they are" lists

not_found() {
    shows 'recognised as: not found' "$CLIENT" get "$REGISTRY"
    keep "$REGISTRY"
    shows 'recognised as: not found' "$CLIENT" get "$OTHER_PORT"
    client "$CLIENT" erase "$OTHER_PORT"
}
claim "docker's client library recognises the helper's not-found text" not_found

hub() {
    local server
    client "$CLIENT" store https://index.docker.io/v1/ hubert hub-secret
    for server in https://index.docker.io/v1/ docker.io index.docker.io registry-1.docker.io; do
        [ "$(client "$CLIENT" get "$server")" = 'hubert hub-secret' ]
    done
}
claim "docker's client library gets Docker Hub's credential under each of its names" hub

missing_fields() {
    shows 'no credentials server URL' "$CLIENT" store '' alice wonderland
    shows 'no credentials server URL' "$CLIENT" get ''
    shows 'no credentials username' "$CLIENT" store "$REGISTRY" '' wonderland
}
claim "docker's client library recognises the texts for a missing server URL and user name" missing_fields

at_once() {
    local number
    for number in {1..8}; do
        client "$CLIENT" store "host-$number.test" "user-$number" secret &
    done
    wait
    for number in {1..8}; do
        [ "$(client "$CLIENT" get "host-$number.test")" = "user-$number secret" ]
    done
}
claim "docker's client library, eight of it storing at once, loses nothing" at_once

hard_failure() {
    shows_hard_failure "$REGISTRY" "$CLIENT" get "$REGISTRY"
}
claim "docker's client library quotes the helper's own line when the helper fails" hard_failure
