# shellcheck shell=bash
# The private world: runs as process 1 of its own mount, network and process namespaces, where only loopback exists.
# Names, trust, users and servers are made up here, and all of it ends with the namespaces.

# The registries that the parts pull from and push to, each with an image in private/app and public/app:
# one asks for a user name and password (Basic), the same host on another port wants another user, and the third sends
# clients to a token server and lets everybody pull from public/. There is also a private stand-in for Docker Hub, under
# Docker Hub's own names (parts/docker-hub.sh).
# shellcheck disable=SC2034
REGISTRY=registry.test OTHER_PORT=registry.test:5443 BEARER=bearer.test REDIRECT=redirect.test

WORLD=${WORLD:-}    # the scratch directory
WORLD_MISSING=

# What this machine lacks for such a world. Looked for outside of it, so that claims can be skipped by name.
find_missing() {
    local tool
    [ "$(id -u)" = 0 ] || WORLD_MISSING=root
    for tool in unshare setpriv ip openssl docker-registry htpasswd python3 jq; do
        command -v "$tool" >/dev/null || WORLD_MISSING+="${WORLD_MISSING:+, }$tool"
    done
    [ -n "$WORLD_MISSING" ] || unshare --mount --net --pid --fork true 2>/dev/null ||
        WORLD_MISSING='permission for namespaces'
}

build_world() {
    ip link set lo up
    # Addresses outside 127.0.0.0/8: dockerd does not insist on TLS for loopback ones.
    ip addr add 10.88.0.1/32 dev lo
    ip addr add 10.88.0.2/32 dev lo
    ip addr add 10.88.0.3/32 dev lo
    ip addr add 10.88.0.4/32 dev lo
    cat >"$WORLD/hosts" <<'HOSTS'
127.0.0.1 localhost
10.88.0.1 registry.test
10.88.0.2 bearer.test auth.test
10.88.0.3 docker.io index.docker.io registry-1.docker.io
10.88.0.4 redirect.test store.test
HOSTS
    mount --bind "$WORLD/hosts" /etc/hosts

    # What the machine has configured must not leak in, and what the clients leave behind must not leak out.
    local dir
    for dir in /run /etc/ssl/certs /etc/containers /etc/docker /etc/beta9; do
        [ ! -d "$dir" ] || mount -t tmpfs tmpfs "$dir"
    done
    [ ! -d /etc/containers ] ||
        echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json

    make_certificates
    cat "$WORLD/ca.crt" >/etc/ssl/certs/ca-certificates.crt

    # The helper under test, found on the PATH as in real life. The wrapper only notes what it was asked, and runs a
    # copy, so that a build that goes on meanwhile does not matter.
    mkdir "$WORLD/bin"
    cp "$BETA9_HELPER" "$WORLD/helper"
    hide_installed
    cat >"$WORLD/bin/docker-credential-beta9" <<SCRIPT
#!/bin/sh
echo "\$1" >>"\$HOME/asked"
exec '$WORLD/helper' "\$@"
SCRIPT
    chmod +x "$WORLD/bin/docker-credential-beta9"
}

# A helper that is installed on this machine, as install.sh leaves one: clients must find the one under test, or none.
hide_installed() {
    local dir
    local -a dirs
    IFS=: read -ra dirs <<<"$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    for dir in "${dirs[@]}"; do
        [ ! -e "$dir/docker-credential-beta9" ] || mount --bind /dev/null "$dir/docker-credential-beta9"
    done
}

make_certificates() {
    local names ec=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    cd "$WORLD" || return
    names=$(sed -n 's/^10[^ ]* //p' hosts | tr ' ' '\n' | sed 's/^/DNS:/' | paste -sd,)
    openssl req -x509 "${ec[@]}" -days 2 -subj '/CN=throw-away CA' -keyout ca.key -out ca.crt
    openssl req "${ec[@]}" -subj '/CN=registry.test' -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt \
        -extfile <(echo "subjectAltName=$names")
    # The token server's own key: the bearer registry accepts what this one signed.
    openssl req -x509 "${ec[@]}" -days 2 -subj '/CN=token signer' -keyout token.key -out token.crt
    cd /
}

# fresh_home: every claim starts as a new user, with nothing stored and nothing wired.
fresh_home() {
    CLIENT_HOME=$(mktemp -d "$WORLD/home.XXXXXX")
    CLIENT_ENV=() CLIENT_AS=()
}

# client COMMAND…: runs a client as that user, in an environment that holds nothing else. CLIENT_AS is the command that
# makes another user of root.
client() {
    with_stdin '' "$@"
}

# with_stdin TEXT COMMAND…: the same for a client that reads its standard input, a password as a rule.
with_stdin() {
    local text=$1
    shift
    echo "\$ $*" >>"$WORLD/claim.log"
    printf '%s' "$text" | env -i HOME="$CLIENT_HOME" PATH="$WORLD/bin:$PATH" "${CLIENT_ENV[@]}" \
        timeout 60 "${CLIENT_AS[@]}" "$@"
}
