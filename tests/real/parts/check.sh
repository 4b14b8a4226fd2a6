# shellcheck shell=bash
# `check` against real registries: what it says of each cause, and that it says "works" when skopeo can read the image.

needs

# says VERDICT [ACCEPTED] -- ARGUMENT…: `check` has this verdict, and the exit status that goes with it.
says() {
    local verdict=$1 accepted=null object status=0
    shift
    [ "$1" = -- ] || { accepted=\"$1\" && shift; }
    shift
    object=$(client docker-credential-beta9 check --json "$@") || status=$?
    printf '%s\n' "$object"
    [ "$(jq -r .verdict <<<"$object")" = "$verdict" ]
    [ "$(jq -c .accepted <<<"$object")" = "$accepted" ]
    if [ "$verdict" = pulled ]; then [ "$status" = 0 ]; else [ "$status" = 1 ]; fi
    # Nothing of a credential is in it.
    ! grep -qE 'wonderland|bearer-secret|identity-token|not-it' <<<"$object"
}

with_basic() {
    says needs-credential -- "$REGISTRY/private/app:1"
    keep "$REGISTRY"
    says pulled yes -- "$REGISTRY/private/app:1"
    says no-manifest yes -- "$REGISTRY/private/app:2"
    says no-repository yes -- "$REGISTRY/private/nothing"
    keep "$REGISTRY" alice not-it
    says wrong-credential no -- "$REGISTRY/private/app:1"
}
claim 'check tells a wrong password, a missing image and a missing credential apart' with_basic

# The token server is on another host, which the operator has to vouch for.
VOUCHED=(--token-host auth.test:8443)

with_bearer() {
    says needs-credential -- "$BEARER/private/app:1"
    says pulled -- "$BEARER/public/app:1"
    keep "$BEARER"
    says foreign-token-server unknown -- "$BEARER/private/app:1"
    says pulled yes -- "${VOUCHED[@]}" "$BEARER/private/app:1"
    says no-manifest yes -- "${VOUCHED[@]}" "$BEARER/private/app:2"
    says no-repository yes -- "${VOUCHED[@]}" "$BEARER/private/nothing"
    says no-access-or-repository yes -- "${VOUCHED[@]}" "$BEARER/closed/app:1"
    keep "$BEARER" carol not-it
    says wrong-credential no -- "${VOUCHED[@]}" "$BEARER/private/app:1"
}
claim 'check asks a token server for a token, and only one that is vouched for' with_bearer

with_identity_token() {
    keep "$BEARER" '<token>' identity-token-of-carol
    says pulled yes -- "${VOUCHED[@]}" "$BEARER/private/app:1"
    keep "$BEARER" '<token>' not-it
    says wrong-credential no -- "${VOUCHED[@]}" "$BEARER/private/app:1"
}
claim 'check exchanges an identity token' with_identity_token

# cause TEXT ARGUMENT…: what `check` says on the way to failing.
cause() {
    local text=$1
    shift
    says tls -- "$@"
    client docker-credential-beta9 check --json "$@" | jq -r '.cause + "; " + .fix' | grep -F "$text"
}

loopback_without_tls() {
    says pulled -- 127.0.0.1:5000/private/app:1
    says pulled -- localhost:5000/private/app:1
    # The same server, by an address that is not loopback.
    ip addr add 10.88.0.9/32 dev lo
    docker-registry serve "$WORLD/plain.yml" &
    wait_for listening 10.88.0.9/5000
    says tls -- 10.88.0.9:5000/private/app:1
    # On loopback too, TLS that is not to be trusted is not got round.
    docker-registry serve "$WORLD/loop.yml" &
    wait_for listening 127.0.0.1/5444
    keep 127.0.0.1:5444 alice wonderland
    cause 'is for another name' 127.0.0.1:5444/private/app:1
}
if [ -z "$WORLD_MISSING" ]; then
    registry_config plain 10.88.0.9:5000 <<<''
    registry_config loop 127.0.0.1:5444 tls <<<''
fi
claim 'check speaks plain HTTP to registries on loopback, and to no others' loopback_without_tls

# tls_server PORT CERTIFICATE KEY: somebody who speaks TLS, and no more.
tls_server() {
    openssl s_server -accept "10.88.0.1:$1" -cert "$2" -key "$3" -quiet &
    wait_for listening "10.88.0.1/$1"
}

tls_faults() {
    local ec=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes) dir
    dir=$(mktemp -d "$WORLD/tls.XXXXXX")
    openssl req -x509 "${ec[@]}" -days 2 -subj '/CN=stranger' -addext subjectAltName=DNS:registry.test \
        -keyout "$dir/stranger.key" -out "$dir/stranger.crt"
    tls_server 9000 "$dir/stranger.crt" "$dir/stranger.key"
    cause "is an authority's, not a server's (self-signed?)" registry.test:9000/a/b

    openssl req "${ec[@]}" -subj '/CN=registry.test' -keyout "$dir/server.key" -out "$dir/server.csr"
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/stranger.crt" -CAkey "$dir/stranger.key" -days 2 \
        -out "$dir/server.crt" -extfile <(echo subjectAltName=DNS:registry.test)
    tls_server 9001 "$dir/server.crt" "$dir/server.key"
    cause 'is signed by nobody that this system trusts; ' registry.test:9001/a/b
    cause 'or as ca.crt to /etc/docker/certs.d/registry.test:9001 for docker' registry.test:9001/a/b

    openssl req "${ec[@]}" -subj '/CN=other' -keyout "$dir/other.key" -out "$dir/other.csr"
    openssl x509 -req -in "$dir/other.csr" -CA "$WORLD/ca.crt" -CAkey "$WORLD/ca.key" -days 2 -out "$dir/other.crt" \
        -extfile <(echo subjectAltName=DNS:other.test)
    tls_server 9002 "$dir/other.crt" "$dir/other.key"
    cause 'is for another name' registry.test:9002/a/b

    # `openssl ca` is the one that takes a day in the past.
    touch "$dir/index.txt" && echo 01 >"$dir/serial"
    printf '[ca]\ndefault_ca=ca\n[ca]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=any\nx509_extensions=names\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:registry.test\n' \
        "$dir/index.txt" "$dir/serial" "$dir" >"$dir/ca.cnf"
    openssl ca -batch -config "$dir/ca.cnf" -cert "$WORLD/ca.crt" -keyfile "$WORLD/ca.key" -in "$dir/other.csr" \
        -out "$dir/expired.crt" -startdate 20200101000000Z -enddate 20200102000000Z
    tls_server 9003 "$dir/expired.crt" "$dir/other.key"
    cause 'has expired' registry.test:9003/a/b
}
claim 'check names an unknown authority, a wrong name and an expired certificate' tls_faults

network_faults() {
    says network -- registry.test:9009/a/b
    says network -- nowhere.test/a/b
}
claim 'check tells of a registry that is not there' network_faults

agrees_with_skopeo() {
    wire_registries_conf
    refused skopeo inspect "docker://$REGISTRY/private/app:1"
    says needs-credential -- "$REGISTRY/private/app:1"
    keep "$REGISTRY"
    client skopeo inspect "docker://$REGISTRY/private/app:1"
    client docker-credential-beta9 check "$REGISTRY/private/app:1"
}
needs skopeo
claim 'check and skopeo are of one mind' agrees_with_skopeo
