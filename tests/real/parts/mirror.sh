# shellcheck shell=bash
# containerd, which runs no helper, asks the mirror: `ctr` with nothing but --hosts-dir.
needs containerd ctr
with_containerd

MIRROR_PORT=9185
CTR_IMAGES=(ctr --address "$CONTAINERD/socket" images)
# What earlier parts have pulled would not be fetched again.
[ -n "$MISSING" ] || "${CTR_IMAGES[@]}" ls -q | xargs -r "${CTR_IMAGES[@]}" rm --sync >/dev/null

# configured HOST…: containerd's files, certificates and the list of hosts, in the claim's home.
configured() {
    local hosts
    hosts=$(IFS=,; echo "$*")
    client docker-credential-beta9 configure containerd --force --hosts "$hosts" \
        --config "$CLIENT_HOME/certs.d" --mirror-dir "$CLIENT_HOME/mirror"
}

# mirror_runs [OPTION…]: starts the mirror as the claim's user.
mirror_runs() {
    env -i HOME="$CLIENT_HOME" PATH="$PATH" BETA9_LOG=debug "$WORLD/helper" mirror \
        --listen "127.0.0.1:$MIRROR_PORT" --mirror-dir "$CLIENT_HOME/mirror" "$@" >"$CLIENT_HOME/mirror.log" 2>&1 &
    MIRROR_PID=$!
    wait_for listening "127.0.0.1/$MIRROR_PORT"
}

mirror_ends() {
    local status=0
    kill -TERM "$MIRROR_PID"
    wait "$MIRROR_PID" || status=$?
    cat "$CLIENT_HOME/mirror.log"
    [ "$status" = 0 ]
}

# pull IMAGE: with no credential of its own. Content that is there already would not be fetched again.
pull() {
    client "${CTR_IMAGES[@]}" pull --snapshotter native --hosts-dir "$CLIENT_HOME/certs.d" "$1"
}

gone() {
    client "${CTR_IMAGES[@]}" rm --sync "$1"
}

# sees_no_secret SECRET…: none is in what ctr and the mirror say.
sees_no_secret() {
    local secret
    for secret in "$@"; do
        if grep -rF "$secret" "$CLIENT_HOME/mirror.log" "$CLIENT_HOME/ctr.log" "$CLIENT_HOME/certs.d"; then return 1; fi
    done
}

# pulls KEY IMAGE USER SECRET [OPTION…]: refused without a credential, and pulled once the helper holds it.
pulls() {
    local key=$1 image=$2 user=$3 secret=$4 host=${2%%/*}
    shift 4
    configured "$host"
    mirror_runs "$@"
    if pull "$image" >"$CLIENT_HOME/refused.log" 2>&1; then return 1; fi
    cat "$CLIENT_HOME/refused.log"
    grep 'it needs a credential, and has none' "$CLIENT_HOME/mirror.log"
    keep "$key" "$user" "$secret"
    # That there was nothing is remembered for five seconds.
    wait_for pull "$image" >"$CLIENT_HOME/ctr.log"
    client "${CTR_IMAGES[@]}" ls -q | grep -xF "$image" >/dev/null
    gone "$image"
    mirror_ends
    sees_no_secret "$secret" "$(printf '%s:%s' "$user" "$secret" | base64)"
}

claim 'ctr pulls a private image through the mirror from a registry with Basic' \
    pulls "$REGISTRY" "$REGISTRY/private/app:1" alice wonderland
claim 'ctr pulls a private image through the mirror from a registry with Bearer' \
    pulls "$BEARER" "$BEARER/private/app:1" carol bearer-secret --token-host auth.test:8443
claim 'ctr pulls a private image of Docker Hub through the mirror' \
    pulls "$HUB" docker.io/private/app:1 hubert hub-secret

follows_redirects() {
    local log=$CLIENT_HOME/store.log
    env -i PATH="$PATH" python3 "$HERE/servers/redirecting.py" 10.88.0.4 443 "$WORLD" "$log" &
    local server=$!
    wait_for listening 10.88.0.4/443
    pulls "$REDIRECT" "$REDIRECT/private/app:1" alice wonderland "$@"
    kill "$server"
    cat "$log"
    grep '^store.test /v2/private/app/blobs/' "$log"
    if grep '^store.test' "$log" | grep -v ' None '; then return 1; fi
    # Who asked the store: containerd says by whom it was sent there, and the mirror does not.
    if [ $# -gt 0 ]; then return 0; fi
    grep '^store.test' "$log" | grep -F "https://127.0.0.1:$MIRROR_PORT/"
}
claim 'blobs that are redirected to an object store are fetched from there without a credential' follows_redirects
claim 'with --stream the mirror fetches them, and shows the object store no credential either' follows_redirects --stream

says_why_it_is_refused() {
    local image=$REGISTRY/private/app:1
    configured "$REGISTRY"
    keep "$REGISTRY" alice mistyped
    mirror_runs
    if pull "$image" >"$CLIENT_HOME/ctr.log" 2>&1; then return 1; fi
    cat "$CLIENT_HOME/ctr.log"
    grep -E '403 Forbidden|401 Unauthorized' "$CLIENT_HOME/ctr.log"
    mirror_ends
    grep -F "$REGISTRY: registry: it refuses this credential (401); " "$CLIENT_HOME/mirror.log"
    sees_no_secret mistyped
}
claim 'a wrong credential is refused, and the log says which and what to do' says_why_it_is_refused

# --- what containerd does when the mirror fails: each row of what was seen of it, through this one ---

# serves: the registry of servers/redirecting.py, and a mirror of it that has the credential, until the claim ends.
serves() {
    trap 'kill "$SERVER" "$MIRROR_PID" 2>/dev/null || true' EXIT
    env -i PATH="$PATH" python3 "$HERE/servers/redirecting.py" 10.88.0.4 443 "$WORLD" "$CLIENT_HOME/store.log" &
    SERVER=$!
    wait_for listening 10.88.0.4/443
    configured "$REDIRECT"
    keep "$REDIRECT"
    mirror_runs
}

# asked_by_the_mirror TEXT: how often, by what the registry was shown.
asked_by_the_mirror() {
    grep -F "$1" "$CLIENT_HOME/store.log" | grep -cF " Basic $(printf 'alice:wonderland' | base64) "
}

# is_told PULL STATUS TEXT COUNT: what a client says where the registry gives the mirror this status, and how often it asks.
is_told() {
    serves
    if "$1" "$REDIRECT/fails/$2:1" >"$CLIENT_HOME/ctr.log" 2>&1; then return 1; fi
    cat "$CLIENT_HOME/ctr.log" "$CLIENT_HOME/store.log"
    grep -F "$3" "$CLIENT_HOME/ctr.log"
    [ "$(asked_by_the_mirror "/v2/fails/$2/manifests/1")" = "$4" ]
    mirror_ends
    sees_no_secret wonderland
}
claim "what the registry does not have is asked for there too, which wants a login" is_told pull 404 '401 Unauthorized' 1
claim "the registry's own 403 reaches ctr" is_told pull 403 '403 Forbidden' 1
claim "the registry's own 500 reaches ctr" is_told pull 500 '500 Internal Server Error' 1
claim "the registry's own 503 reaches ctr" is_told pull 503 '503 Service Unavailable' 1
claim "the registry's own 429 reaches ctr, which asks five times more" is_told pull 429 '429 Too Many Requests' 6

# A 401 never comes from this mirror, with a challenge or without: a client would show it a credential.
never_says_401() {
    serves
    if pull "$REDIRECT/fails/401:1" >"$CLIENT_HOME/ctr.log" 2>&1; then return 1; fi
    cat "$CLIENT_HOME/ctr.log"
    mirror_ends
    grep -F "$REDIRECT: registry: " "$CLIENT_HOME/mirror.log" | grep -F ' (401); '
}
claim "a registry's 401 is a refusal with its reason in the log" never_says_401

# breaks_off PULL TEXT
breaks_off() {
    serves
    if "$1" "$REDIRECT/fails/dies:1" >"$CLIENT_HOME/ctr.log" 2>&1; then return 1; fi
    cat "$CLIENT_HOME/ctr.log"
    grep -F "$2" "$CLIENT_HOME/ctr.log"
    mirror_ends
}
claim 'a blob that breaks off in the middle fails the pull' breaks_off pull 'unexpected EOF'

# Nothing bounds how long containerd 1 waits for it. One that goes on is not too late.
is_silent() {
    serves
    kill -STOP "$MIRROR_PID"
    pull "$REDIRECT/private/app:1" >"$CLIENT_HOME/ctr.log" 2>&1 &
    local ctr=$!
    sleep 2
    kill -0 "$ctr"
    if grep -F "$REDIRECT" "$CLIENT_HOME/store.log"; then return 1; fi
    kill -CONT "$MIRROR_PID"
    wait "$ctr"
    gone "$REDIRECT/private/app:1"
    mirror_ends
}
claim 'ctr waits for a mirror that is silent, and pulls once it answers' is_silent

goes_on_without_it() {
    local image=$BEARER/public/app:1
    configured "$BEARER"
    pull "$image"
    gone "$image"
    mirror_runs --token-host auth.test:8443
    pull "$image"
    gone "$image"
    mirror_ends
    pull "$image"
    gone "$image"
    if pull "$BEARER/private/app:1"; then return 1; fi
}
claim 'public images are pulled whether the mirror runs or not' goes_on_without_it

answers_nobody_else() {
    configured "$REGISTRY"
    keep "$REGISTRY"
    mirror_runs
    local url="https://127.0.0.1:$MIRROR_PORT/v2/private/app/manifests/1?ns=$REGISTRY" dir=$CLIENT_HOME/mirror
    if curl -sf --cacert "$dir/ca.crt" "$url"; then return 1; fi
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' --cacert "$dir/ca.crt" --cert "$dir/client.crt" --key "$dir/client.key" "$url"
    if curl -sf --cacert "$dir/ca.crt" --cert "$dir/client.crt" --key "$dir/client.key" --tls-max 1.2 "$url"; then return 1; fi
    mirror_ends
}
needs curl
claim 'curl is answered with the certificate of containerd and TLS 1.3, and not without' answers_nobody_else

# --- CRI, as kubelet speaks it ---

needs containerd ctr "$BUILT/go/crictl"
with_containerd
CRICTL=("$BUILT/go/crictl" --runtime-endpoint "unix://$CONTAINERD/socket" --image-endpoint "unix://$CONTAINERD/socket")

cri_pull() {
    ln -sfn "$CLIENT_HOME/certs.d" "$CONTAINERD/certs.d"
    client "${CRICTL[@]}" pull "$@"
}

pulls_by_cri() {
    local key=$1 image=$2 user=$3 secret=$4
    shift 4
    configured "${image%%/*}"
    if cri_pull "$image"; then return 1; fi
    keep "$key" "$user" "$secret"
    mirror_runs "$@"
    cri_pull "$image" >"$CLIENT_HOME/ctr.log" 2>&1
    client "${CRICTL[@]}" images | grep -F "${image%:*}"
    client "${CRICTL[@]}" rmi "$image"
    mirror_ends
    sees_no_secret "$secret" "$(printf '%s:%s' "$user" "$secret" | base64)"
}
claim 'crictl pulls a private image through the mirror from a registry with Basic' \
    pulls_by_cri "$REGISTRY" "$REGISTRY/private/app:1" alice wonderland
claim 'crictl pulls a private image through the mirror from a registry with Bearer' \
    pulls_by_cri "$BEARER" "$BEARER/private/app:1" carol bearer-secret --token-host auth.test:8443
claim 'crictl pulls a private image of Docker Hub through the mirror' \
    pulls_by_cri "$HUB" docker.io/private/app:1 hubert hub-secret

# A pull secret of a pod comes to the same: the mirror answers for the whole node, as docs/mirror.md says.
asks_no_client_for_a_login() {
    local image=$REGISTRY/private/app:1
    configured "$REGISTRY"
    keep "$REGISTRY"
    mirror_runs
    cri_pull --creds bob:canary-of-bob "$image"
    client "${CRICTL[@]}" rmi "$image"
    mirror_ends
    sees_no_secret canary-of-bob "$(printf 'bob:canary-of-bob' | base64)"
}
claim "a client's own credential does not reach the mirror" asks_no_client_for_a_login

# --- containerd 2, by its own code for hosts.toml, its resolver and its fetcher ---

needs "$BUILT/containerd/pull"

pull_by_2() {
    client "$BUILT/containerd/pull" "$CLIENT_HOME/certs.d" "$1"
}

pulls_by_2() {
    local key=$1 image=$2 user=$3 secret=$4
    shift 4
    configured "${image%%/*}"
    if pull_by_2 "$image"; then return 1; fi
    keep "$key" "$user" "$secret"
    mirror_runs "$@"
    pull_by_2 "$image" >"$CLIENT_HOME/ctr.log" 2>&1
    # The manifest, the layer and the configuration.
    [ "$(grep -c '^sha256:' "$CLIENT_HOME/ctr.log")" = 3 ]
    mirror_ends
    sees_no_secret "$secret" "$(printf '%s:%s' "$user" "$secret" | base64)"
}
claim 'containerd 2 fetches a private image through the mirror from a registry with Basic' \
    pulls_by_2 "$REGISTRY" "$REGISTRY/private/app:1" alice wonderland
claim 'containerd 2 fetches a private image through the mirror from a registry with Bearer' \
    pulls_by_2 "$BEARER" "$BEARER/private/app:1" carol bearer-secret --token-host auth.test:8443
claim 'containerd 2 fetches a private image of Docker Hub through the mirror' \
    pulls_by_2 "$HUB" docker.io/private/app:1 hubert hub-secret

claim 'what the registry does not have containerd 2 asks for there too, which wants a login' is_told pull_by_2 404 '401 Unauthorized' 1
claim "the registry's own 403 reaches containerd 2" is_told pull_by_2 403 '403 Forbidden' 1
claim "the registry's own 503 reaches containerd 2" is_told pull_by_2 503 '503 Service Unavailable' 1
claim "the registry's own 429 reaches containerd 2, which asks five times more" is_told pull_by_2 429 '429 Too Many Requests' 6

claim 'a blob that breaks off in the middle fails the pull of containerd 2' breaks_off pull_by_2 EOF
