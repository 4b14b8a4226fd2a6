# shellcheck shell=bash
# Sourced by packaging/release: a build without a network, from crates that were vendored before.

# check_offline: a clone of HEAD, an empty CARGO_HOME and, where the kernel lets us, no network at all.
check_offline() {
    local world alone=()
    world=$(mktemp -d "${TMPDIR:-/tmp}/offline.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$world'" EXIT
    git clone --quiet --no-local "$REPO" "$world/clone"
    cd "$world/clone" || return
    mkdir "$world/home"
    cargo vendor --locked vendor 2>"$world/vendor.log" >>.cargo/config.toml
    ! unshare --net --map-root-user true 2>/dev/null || alone=(unshare --net --map-root-user)
    echo "==> Building ${alone[*]:+without a network }in $world/clone"
    RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=$world/home \
        "${alone[@]}" cargo build --locked --offline --target-dir "$world/target"
    echo "==> $("$world/target/debug/$NAME" version) was built from vendored crates"
}
