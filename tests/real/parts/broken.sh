# shellcheck shell=bash
# Set-ups that are broken for real clients: the pull fails, `doctor` or `check` names the cause, and with what it says to
# do the pull works.

IMAGE=docker://$REGISTRY/private/app:1
VOUCHED=(--token-host auth.test:8443)

# helper ARGUMENT…: the helper itself, wherever the client's PATH leads.
helper() {
    client "$HELPER" "$@"
}

# install_in DIRECTORY: a copy of the helper there, which `helper` then is.
install_in() {
    HELPER=$CLIENT_HOME/$1/docker-credential-beta9
    mkdir -p "${HELPER%/*}"
    cp "$WORLD/helper" "$HELPER"
}

# doctor_names TEXT: `doctor` finds one thing broken, with this in its text; FIX is the command that it gives.
doctor_names() {
    local object status=0
    object=$(helper doctor --json) || status=$?
    printf '%s\n' "$object"
    [ "$status" = 1 ]
    jq -r '.findings[] | select(.state == "broken") | .cause' <<<"$object" | grep -F "$1"
    [ "$(jq -r .broken <<<"$object")" = 1 ]
    FIX=$(jq -r '.findings[] | select(.state == "broken") | .command' <<<"$object")
    [ "$FIX" != null ]
    # A person reads the same command.
    helper doctor | tr -d '\\\n' | tr -s ' ' | grep -F "fix: $FIX"
}

# fix: what it says to do, in the client's shell.
fix() {
    client sh -c "$FIX"
    helper doctor
}

not_on_the_path() {
    wire_cred_helpers
    keep "$REGISTRY"
    install_in opt
    mkdir -p "$CLIENT_HOME/.local/bin"
    CLIENT_ENV+=("PATH=$CLIENT_HOME/.local/bin:/usr/bin:/bin:/usr/sbin")
    shows 'error getting credentials' skopeo inspect "$IMAGE"
    doctor_names 'is in no directory of the PATH: what docker and podman would pull through it fails'
    fix
    client skopeo inspect "$IMAGE"
}
needs skopeo
claim 'a helper that is not on the PATH: doctor says so, and its command fixes it' not_on_the_path

readable_key() {
    wire_cred_helpers
    keep "$REGISTRY"
    install_in bin
    CLIENT_ENV+=("PATH=$CLIENT_HOME/bin:$PATH")
    chmod 644 "$CLIENT_HOME/.local/share/beta9/credentials.key"
    shows 'is open to others (mode 0644)' skopeo inspect "$IMAGE"
    doctor_names 'is open to others (mode 0644)'
    fix
    client skopeo inspect "$IMAGE"
}
claim 'a key that the world can read: doctor says so, and its command fixes it' readable_key

# What is kept is answered all the same; what is new would be lost.
full_and_read_only() {
    local store=$CLIENT_HOME/.local/share/beta9
    mkdir -p "$store"
    mount -t tmpfs -o mode=700,size=64k tmpfs "$store"
    wire_cred_helpers
    keep "$REGISTRY"
    install_in bin
    CLIENT_ENV+=("PATH=$CLIENT_HOME/bin:$PATH")
    disk_says broken 'is on a full disk: nothing new is kept'
    mount -o remount,ro,size=4m "$store"
    disk_says note 'is on a read-only file system: what is there is answered, and nothing new is kept'
    client skopeo inspect "$IMAGE"
    mount -o remount,rw "$store"
    helper doctor
}

# disk_says STATE TEXT: what `doctor` says of the disk, and how bad that is.
disk_says() {
    local object
    object=$(helper doctor --json) || :
    printf '%s\n' "$object"
    jq -r --arg state "$1" '.findings[] | select(.state == $state) | .cause' <<<"$object" | grep -F "$2"
}
claim 'a disk that is full or read-only: doctor says which, and room or a mount fixes it' full_and_read_only

half_of_docker_hub() {
    wire "$CLIENT_HOME/.docker/config.json" "{\"credHelpers\":{\"$HUB\":\"beta9\"}}"
    keep "$HUB"
    install_in bin
    CLIENT_ENV+=("PATH=$CLIENT_HOME/bin:$PATH")
    refused skopeo inspect docker://docker.io/private/app:1
    doctor_names 'and not under "docker.io"'
    fix
    client skopeo inspect docker://docker.io/private/app:1
}
claim 'one of Docker Hub'"'"'s two keys is missing: doctor says so, and its command fixes it' half_of_docker_hub

# check_says VERDICT REFERENCE: what `check` says; FIX is what it says to do.
check_says() {
    local object status=0
    object=$(client docker-credential-beta9 check --json "${VOUCHED[@]}" "$2") || status=$?
    printf '%s\n' "$object"
    [ "$(jq -r .verdict <<<"$object")" = "$1" ]
    if [ "$1" = pulled ]; then [ "$status" = 0 ]; else [ "$status" = 1 ]; fi
    FIX=$(jq -r .fix <<<"$object")
}

no_access() {
    wire_cred_helpers
    keep "$BEARER"
    refused skopeo inspect "docker://$BEARER/closed/app:1"
    check_says no-access-or-repository "$BEARER/closed/app:1"
    grep -F 'let the account pull it' <<<"$FIX"
    : >"$WORLD/closed-is-open"
    client skopeo inspect "docker://$BEARER/closed/app:1"
    check_says pulled "$BEARER/closed/app:1"
}
claim 'a repository without access: check says so, and letting the account pull it fixes it' no_access
rm -f "$WORLD/closed-is-open"

wrong_token() {
    wire_cred_helpers
    keep "$BEARER" carol not-it
    refused skopeo inspect "docker://$BEARER/private/app:1"
    check_says wrong-credential "$BEARER/private/app:1"
    # The command is the first half of what it says.
    [ "${FIX%%,*}" = "docker login $BEARER" ]
    # shellcheck disable=SC2086  # it is a command in words
    with_stdin bearer-secret ${FIX%%,*} --username carol --password-stdin
    client skopeo inspect "docker://$BEARER/private/app:1"
    check_says pulled "$BEARER/private/app:1"
}
needs skopeo docker
claim 'a wrong token: check says so, and the login that it names fixes it' wrong_token
