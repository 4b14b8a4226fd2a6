# shellcheck shell=bash
# docker-py: what ansible, testcontainers and the first docker compose are built on.
DOCKER_PY=("$BUILT/python/bin/python" "$HERE/python/docker_py.py")
needs "${DOCKER_PY[0]}"

# $1 wires.
resolves() {
    "$1"
    [ "$(client "${DOCKER_PY[@]}" resolve "$REGISTRY")" = nothing ]
    keep "$REGISTRY"
    [ "$(client "${DOCKER_PY[@]}" resolve "$REGISTRY")" = 'alice wonderland' ]
    unwire
    [ "$(client "${DOCKER_PY[@]}" resolve "$REGISTRY")" = nothing ]
}
claim 'docker-py resolves a credential through credHelpers' resolves wire_cred_helpers
claim 'docker-py resolves a credential through credsStore' resolves wire_creds_store

resolves_identity_token() {
    wire_creds_store
    keep "$BEARER" '<token>' identity-token-of-carol
    [ "$(client "${DOCKER_PY[@]}" resolve "$BEARER")" = 'identity token identity-token-of-carol' ]
}
claim 'docker-py recognises an identity token' resolves_identity_token

lists_all() {
    wire_creds_store
    keep "$REGISTRY"
    keep "$OTHER_PORT"
    [ "$(client "${DOCKER_PY[@]}" all)" = "$REGISTRY alice wonderland"$'\n'"$OTHER_PORT bob builder" ]
}
claim 'docker-py gets every credential that the helper lists' lists_all

hard_failure() {
    wire_creds_store
    shows_hard_failure "$REGISTRY" "${DOCKER_PY[@]}" resolve "$REGISTRY"
}
claim "docker-py raises an exception with the helper's own line when the helper fails" hard_failure

with_dockerd

pulls() {
    wire_cred_helpers
    works_only_through_helper "$REGISTRY" "${DOCKER_PY[@]}" pull "$DOCKERD_HOST" "$REGISTRY/private/app:1"
}
claim 'docker-py has dockerd pull a private image' pulls

pulls_with_identity_token() {
    wire_cred_helpers
    works_with_identity_token "${DOCKER_PY[@]}" pull "$DOCKERD_HOST" "$BEARER/private/app:1"
}
claim 'docker-py has dockerd pull with an identity token' pulls_with_identity_token

anonymous() {
    wire_creds_store
    works_anonymously "${DOCKER_PY[@]}" pull "$DOCKERD_HOST" "$BEARER/public/app:1"
}
claim 'docker-py has dockerd pull a public image anonymously while the helper is wired' anonymous
