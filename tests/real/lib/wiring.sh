# shellcheck shell=bash
# How a client is told about the helper, what the helper holds, and the proof that the one works because of the other.

# --- wiring: each writes one file of the claim's user and remembers it for `unwire` ---

# Docker Hub is the key https://index.docker.io/v1/ for most clients, and docker.io for podman, buildah and skopeo.
HUB=https://index.docker.io/v1/

# wire_cred_helpers: docker's credHelpers. Nearly every client reads this file.
wire_cred_helpers() {
    wire "$CLIENT_HOME/.docker/config.json" "$(cred_helpers)"
}

# wire_creds_store: docker's credsStore, one helper for every registry.
wire_creds_store() {
    wire "$CLIENT_HOME/.docker/config.json" '{"credsStore":"beta9"}'
}

# wire_auth_file: credHelpers in the auth file of podman, buildah and skopeo.
wire_auth_file() {
    CLIENT_ENV+=("REGISTRY_AUTH_FILE=$CLIENT_HOME/auth.json")
    wire "$CLIENT_HOME/auth.json" "$(cred_helpers)"
}

# wire_registries_conf: one helper for every registry, for podman, buildah and skopeo.
wire_registries_conf() {
    wire "$CLIENT_HOME/.config/containers/registries.conf" 'credential-helpers = ["beta9"]'
}

cred_helpers() {
    local host list=
    for host in "$REGISTRY" "$OTHER_PORT" "$BEARER" "$HUB" docker.io; do
        list+="${list:+,}\"$host\":\"beta9\""
    done
    printf '{"credHelpers":{%s}}' "$list"
}

wire() {
    mkdir -p "${1%/*}"
    printf '%s\n' "$2" >"$1"
    WIRED_FILE=$1 WIRED_TEXT=$2
}

unwire() {
    case $WIRED_FILE in
        *.json) echo '{}' ;;
        *) echo ;;
    esac >"$WIRED_FILE"
}

rewire() {
    printf '%s\n' "$WIRED_TEXT" >"$WIRED_FILE"
}

# --- what the helper holds ---

# keep HOST [USER SECRET]: stores the right credential for the host, or the one given.
keep() {
    local user=${2:-} secret=${3:-}
    [ -n "$user" ] || case $1 in
        "$REGISTRY" | "$REDIRECT") user=alice secret=wonderland ;;
        "$OTHER_PORT") user=bob secret=builder ;;
        "$BEARER") user=carol secret=bearer-secret ;;
        "$HUB") user=hubert secret=hub-secret ;;
    esac
    with_stdin "$(jq -cn --arg h "$1" --arg u "$user" --arg s "$secret" '{ServerURL: $h, Username: $u, Secret: $s}')" \
        docker-credential-beta9 store
}

forget() {
    with_stdin "$1" docker-credential-beta9 erase
}

# held HOST: prints what the helper answers, in one line: USER SECRET
held() {
    with_stdin "$1" docker-credential-beta9 get | jq -r '.Username + " " + .Secret'
}

holds_nothing() {
    local answer
    answer=$(with_stdin "$1" docker-credential-beta9 get) && return 1
    [ "$answer" = 'credentials not found in native keychain' ]
}

# not_in_plain_file USER SECRET: no file of a client holds it. (.local/share is the helper's own, for its own tests.)
not_in_plain_file() {
    local files=("$CLIENT_HOME")
    [ ! -d /run/containers ] || files+=(/run/containers)
    ! grep -rE --exclude-dir=.local "$2|$(printf '%s:%s' "$1" "$2" | base64)" "${files[@]}"
}

# --- proofs ---

# refused COMMAND…: fails, and says that it is for want of a credential.
refused() {
    local output
    if output=$(client "$@" 2>&1); then
        printf '%s\n' "$output" "this should have been refused: $*"
        return 1
    fi
    printf '%s\n' "$output"
    grep -qiE 'unauthorized|authentication required|no basic auth|basic credential not found|denied|\b401\b' <<<"$output"
}

# shows TEXT COMMAND…: fails, with this text somewhere in what it says.
shows() {
    local text=$1 output
    shift
    output=$(client "$@" 2>&1) && return 1
    printf '%s\n' "$output"
    grep -qF "$text" <<<"$output"
}

# works_only_through_helper HOST COMMAND…: the credential that the helper holds is what makes the command work.
works_only_through_helper() {
    local host=$1
    shift
    refused "$@"
    keep "$host"
    client "$@"
    unwire
    refused "$@"
    rewire
    forget "$host"
    refused "$@"
}

# works_with_identity_token COMMAND…: on the bearer registry, which takes this refresh token and no other.
works_with_identity_token() {
    refused "$@"
    keep "$BEARER" '<token>' identity-token-of-carol
    client "$@"
    keep "$BEARER" '<token>' another-token
    refused "$@"
}

# works_anonymously COMMAND…: the helper is asked, has nothing, and the command works all the same.
works_anonymously() {
    rm -f "$CLIENT_HOME/asked"
    client "$@"
    grep -qx get "$CLIENT_HOME/asked"
}

# shows_hard_failure HOST COMMAND…: the helper fails with a line of its own, the command aborts and shows that line.
shows_hard_failure() {
    local host=$1 line output
    shift
    CLIENT_ENV+=('BETA9_IMAGE_CREDENTIALS={broken')
    line=$(with_stdin "$host" docker-credential-beta9 get) && return 1
    [ -n "$line" ]
    [ "$(wc -l <<<"$line")" = 1 ]
    output=$(client "$@" 2>&1) && return 1
    printf '%s\n' "$output"
    # Without quotes and backslashes, because some clients quote the line.
    grep -qF "$(tr -d '\\"' <<<"$line")" <<<"$(tr -d '\\"' <<<"$output")"
}
