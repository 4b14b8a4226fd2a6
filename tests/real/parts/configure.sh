# shellcheck shell=bash
# `configure` wires the real clients and unwires them again; `import` takes over what their own login wrote.
needs docker skopeo podman

HELPER=docker-credential-beta9
PODMAN=(podman --root "$WORLD/podman/root" --runroot "$WORLD/podman/run" --tmpdir "$WORLD/podman/tmp" --storage-driver vfs
    --cgroup-manager cgroupfs --events-backend file)
INSPECT_BY_DOCKER=(docker manifest inspect "$REGISTRY/private/app:docker")
INSPECT_BY_SKOPEO=(skopeo inspect "docker://$REGISTRY/private/app:1")
PULL_BY_PODMAN=("${PODMAN[@]}" pull "$REGISTRY/private/app:1")

# own_session: podman's and skopeo's files of the session are the claim's own.
own_session() {
    mkdir -m 700 "$CLIENT_HOME/run"
    CLIENT_ENV+=("XDG_RUNTIME_DIR=$CLIENT_HOME/run")
}

# asks COMMAND…: it works, and has asked the helper.
asks() {
    rm -f "$CLIENT_HOME/asked"
    client "$@"
    grep -qx get "$CLIENT_HOME/asked"
}

# asks_nobody COMMAND…: it is refused, and has not asked the helper.
asks_nobody() {
    rm -f "$CLIENT_HOME/asked"
    refused "$@"
    [ ! -e "$CLIENT_HOME/asked" ]
}

# snapshot: what every file of the clients says: JSON in one line, all else line by line. The helper's own are left out.
snapshot() {
    (cd "$CLIENT_HOME" && find . -path ./.local -prune -o -path ./.cache -prune -o -name asked -o -type f -print | sort | while read -r file; do
        echo "$file"
        jq -c . "$file" 2>/dev/null || cat "$file"
        echo
    done)
}

# wires_and_unwires CLIENT OPTION… -- COMMAND…
wires_and_unwires() {
    local client=$1 options=() before
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    keep "$REGISTRY"
    asks_nobody "$@"
    before=$(snapshot)
    client "$HELPER" configure "$client" "${options[@]}"
    asks "$@"
    client "$HELPER" configure "$client" --undo
    [ "$(snapshot)" = "$before" ]
    asks_nobody "$@"
}

existing_file() {
    mkdir -p "$CLIENT_HOME/.docker"
    printf '{\r\n  "HttpHeaders" : { "X-Meta": "1" },\r\n  "credHelpers": {"other.test": "pass"}\r\n}' >"$CLIENT_HOME/.docker/config.json"
}

docker_by_hosts() {
    wires_and_unwires docker --hosts "$REGISTRY" -- "${INSPECT_BY_DOCKER[@]}"
    existing_file
    wires_and_unwires docker --hosts "$REGISTRY" -- "${INSPECT_BY_DOCKER[@]}"
}
claim 'configure docker: docker asks the helper; --undo: it does not, and the file says what it said' docker_by_hosts

docker_stored_or_all() {
    wires_and_unwires docker -- "${INSPECT_BY_DOCKER[@]}"
    existing_file
    wires_and_unwires docker --all -- "${INSPECT_BY_DOCKER[@]}"
}
claim 'configure docker without hosts takes those of the store, and --all is for every registry' docker_stored_or_all

docker_logs_in() {
    client "$HELPER" configure docker --hosts "$REGISTRY"
    with_stdin wonderland docker login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    # docker has rewritten the file; what is its own stays.
    client "$HELPER" configure docker --undo
    [ "$(jq -c . "$CLIENT_HOME/.docker/config.json")" = "{\"auths\":{\"$REGISTRY\":{}}}" ]
    asks_nobody "${INSPECT_BY_DOCKER[@]}"
}
claim 'configure docker: docker login stores through the helper; --undo takes out only what is ours' docker_logs_in

podman_by_hosts() {
    own_session
    wires_and_unwires podman --hosts "$REGISTRY" -- "${INSPECT_BY_SKOPEO[@]}"
    wires_and_unwires podman --hosts "$REGISTRY" -- "${PULL_BY_PODMAN[@]}"
}
claim 'configure podman: podman and skopeo ask the helper; --undo: they do not' podman_by_hosts

podman_all() {
    own_session
    wires_and_unwires podman --all -- "${INSPECT_BY_SKOPEO[@]}"
    mkdir -p "$CLIENT_HOME/.config/containers"
    printf '# mine\nshort-name-mode = "disabled"\n\n[aliases]\n"x" = "registry.test/x"' >"$CLIENT_HOME/.config/containers/registries.conf"
    wires_and_unwires podman --all -- "${PULL_BY_PODMAN[@]}"
}
claim 'configure podman --all: so do they through registries.conf, with and without one' podman_all

podman_logs_in() {
    own_session
    client "$HELPER" configure podman --all
    with_stdin wonderland "${PODMAN[@]}" login --username alice --password-stdin "$REGISTRY"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
    client "${PULL_BY_PODMAN[@]}"
}
claim 'configure podman --all: podman login stores through the helper and not in a file' podman_logs_in

# The machine's own places, which are made up for this.
whole_machine() {
    own_session
    keep "$REGISTRY"
    mount -t tmpfs tmpfs /usr/local/sbin
    trap 'umount /usr/local/sbin; rm -rf /etc/containers/registries.conf.d' EXIT
    shows "it is not on the system's PATH" "$HELPER" configure podman --all --system
    [ ! -e /etc/containers/registries.conf.d ]
    cp "$WORLD/helper" "/usr/local/sbin/$HELPER"
    client "$HELPER" configure podman --all --system
    asks "${INSPECT_BY_SKOPEO[@]}"
    client "$HELPER" configure podman --system --undo
    [ ! -e /etc/containers/registries.conf.d ]
    asks_nobody "${INSPECT_BY_SKOPEO[@]}"
}
claim 'configure podman --all --system wires every user, and only what is on the PATH of services' whole_machine

roots_docker() {
    mount -t tmpfs tmpfs /usr/local/sbin
    mount -t tmpfs tmpfs /root
    trap 'umount /usr/local/sbin /root' EXIT
    cp "$WORLD/helper" "/usr/local/sbin/$HELPER"
    client "$HELPER" configure docker --system --hosts "$REGISTRY"
    [ ! -e "$CLIENT_HOME/.docker" ]
    [ "$(jq -c . /root/.docker/config.json)" = "{\"credHelpers\":{\"$REGISTRY\":\"beta9\"}}" ]
    CLIENT_HOME=/root
    keep "$REGISTRY"
    asks "${INSPECT_BY_DOCKER[@]}"
    client "$HELPER" configure docker --system --undo
    [ ! -e /root/.docker ]
    asks_nobody "${INSPECT_BY_DOCKER[@]}"
}
claim "configure docker --system wires root's docker" roots_docker

# takes_over FILE CLIENT HOST PULL…: what is in the file comes into the store, and then goes from the file.
takes_over() {
    local file=$1 client=$2 host=$3 pair
    shift 3
    pair=$(jq -r --arg h "$host" '.auths[$h].auth | @base64d' "$file")
    [ -n "$pair" ]
    client "$@"
    client "$HELPER" import "$client"
    client "$HELPER" configure "$client" --all
    client "$HELPER" import "$client" --remove
    [ "$(jq --arg h "$host" '.auths | has($h)' "$file")" = false ]
    asks "$@"
    client "$HELPER" configure "$client" --undo
    asks_nobody "$@"
}

# plain_file: docker looks for another helper on the machine while its file has no credentials at all.
plain_file() {
    mkdir -p "$CLIENT_HOME/.docker"
    echo '{"auths":{"other.test":{}}}' >"$CLIENT_HOME/.docker/config.json"
}

imports_dockers_login() {
    plain_file
    with_stdin wonderland docker login --username alice --password-stdin "$REGISTRY"
    takes_over "$CLIENT_HOME/.docker/config.json" docker "$REGISTRY" "${INSPECT_BY_DOCKER[@]}"
    [ "$(held "$REGISTRY")" = 'alice wonderland' ]
    not_in_plain_file alice wonderland
}
claim 'import takes over what docker login wrote in plain text, and removes it' imports_dockers_login

imports_an_identity_token() {
    plain_file
    with_stdin bearer-secret docker login --username carol --password-stdin "$BEARER"
    grep -q identity-token-of-carol "$CLIENT_HOME/.docker/config.json"
    client "$HELPER" import docker
    [ "$(held "$BEARER")" = '<token> identity-token-of-carol' ]
    client "$HELPER" configure docker
    client "$HELPER" import docker --remove
    not_in_plain_file carol identity-token-of-carol
    asks docker manifest inspect "$BEARER/private/app:docker"
}
claim 'import takes over the identity token of a docker login' imports_an_identity_token

imports_podmans_login() {
    own_session
    with_stdin wonderland "${PODMAN[@]}" login --username alice --password-stdin "$REGISTRY"
    takes_over "$(find "$CLIENT_HOME/run" -name auth.json)" podman "$REGISTRY" "${PULL_BY_PODMAN[@]}"
    not_in_plain_file alice wonderland
}
claim 'import takes over what podman login wrote in plain text, and removes it' imports_podmans_login

imports_skopeos_login() {
    CLIENT_ENV+=("REGISTRY_AUTH_FILE=$CLIENT_HOME/auth.json")
    with_stdin wonderland skopeo login --username alice --password-stdin "$REGISTRY"
    takes_over "$CLIENT_HOME/auth.json" podman "$REGISTRY" "${INSPECT_BY_SKOPEO[@]}"
    not_in_plain_file alice wonderland
}
claim 'import takes over what skopeo login wrote in plain text, and removes it' imports_skopeos_login

needs "$BUILT/kubelet"

kubelet_asks() {
    local config=$CLIENT_HOME/kubelet/config.yaml image=$REGISTRY/private/app
    keep "$REGISTRY"
    client "$HELPER" configure kubelet --config "$config" --bin-dir "$WORLD/bin" --hosts "$REGISTRY"
    [ "$(client "$BUILT/kubelet" lookup "$config" "$WORLD/bin" "$image")" = "$image alice wonderland" ]
    client "$HELPER" configure kubelet --config "$config" --undo
    [ ! -e "$CLIENT_HOME/kubelet" ]
}
claim 'configure kubelet: kubelet asks the helper' kubelet_asks

kubelet_decodes() {
    local file config before image=registry.gitlab.com/team/app
    for file in "$HERE"/../fixtures/clients/kubelet/*; do
        config=$CLIENT_HOME/${file##*/}
        cp "$file" "$config"
        before=$(with_stdin "$image" "$BUILT/kubelet" match "$config")
        [ -z "$before" ]
        client "$HELPER" configure kubelet --config "$config" --bin-dir "$WORLD/bin"
        [ "$(with_stdin "$image" "$BUILT/kubelet" match "$config")" = "$image" ]
    done
}
claim 'configure kubelet: what it adds to an existing file is decoded strictly, and matches' kubelet_decodes

kubelet_of_rules() {
    local config=$CLIENT_HOME/kubelet.yaml found
    mkdir -p "$CLIENT_HOME/.config/beta9"
    printf '[[registry]]\nhost = "%s"\n' '*.corp.example' '*.Corp.example:5000/team' registry.corp.test:8443 \
        >"$CLIENT_HOME/.config/beta9/credential-helper.toml"
    client "$HELPER" configure kubelet --config "$config" --bin-dir "$WORLD/bin"
    found=$(with_stdin "$(printf '%s\n' r.corp.example/app r.corp.example:5000/team/app registry.corp.test:8443/app \
        corp.example/app a.b.corp.example/app r.corp.example:5001/app)" "$BUILT/kubelet" match "$config")
    [ "$found" = "$(printf '%s\n' r.corp.example/app r.corp.example:5000/team/app registry.corp.test:8443/app)" ]
}
claim 'configure kubelet: kubelet asks about what rules are about, and about nothing beside it' kubelet_of_rules
