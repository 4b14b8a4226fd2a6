# shellcheck shell=bash
# crane looks for a registry under the key as it was typed, regctl reads docker's file beside its own.
CRANE=$BUILT/go/crane
REGCTL=$BUILT/go/regctl
needs "$CRANE" "$REGCTL"

# $1 wires, $2 is the registry.
crane_pulls() {
    "$1"
    works_only_through_helper "$2" "$CRANE" manifest "$2/private/app:1"
}
claim 'crane reads a private image through credHelpers' crane_pulls wire_cred_helpers "$REGISTRY"
claim 'crane reads a private image through credsStore' crane_pulls wire_creds_store "$REGISTRY"
claim 'crane reads a private image with bearer tokens' crane_pulls wire_creds_store "$BEARER"

crane_with_a_port() {
    client docker-credential-beta9 configure docker --hosts "$REGISTRY:443"
    refused "$CRANE" manifest "$REGISTRY:443/private/app:1"
    keep "$REGISTRY"
    client "$CRANE" manifest "$REGISTRY:443/private/app:1"
    client "$CRANE" manifest "$REGISTRY/private/app:1"
}
claim 'crane asks under host:443 as under host, once configure has been told host:443' crane_with_a_port

regctl_pulls() {
    "$1"
    works_only_through_helper "$2" "$REGCTL" manifest get "$2/private/app:1"
}
claim 'regctl reads a private image through credHelpers' regctl_pulls wire_cred_helpers "$REGISTRY"

regctls_own_login() {
    client "$REGCTL" registry login "$REGISTRY" -u alice -p wonderland --skip-check
    client docker-credential-beta9 doctor --json | grep -F '"code":"client.plain_password"' | grep -F "$REGISTRY"
}
claim "doctor names the login that regctl keeps in a file of its own" regctls_own_login
