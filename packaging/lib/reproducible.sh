# shellcheck shell=bash
# Sourced by packaging/release: two builds of one commit, compared.

# check_reproducible: two clones of HEAD in directories of different names and depths, each with a target/ of its own.
check_reproducible() {
    local world clone build builds=() failed='' arch=all
    [ ${#ARCHES[@]} -gt 1 ] || arch=${ARCHES[0]}
    world=$(mktemp -d "${TMPDIR:-/tmp}/reproducible.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$world'" EXIT
    # Both before the first is built: HEAD may be another by the time that this is done.
    for clone in one a/second/place; do
        git clone --quiet --no-local "$REPO" "$world/$clone"
    done
    # Side by side, because linking keeps one processor busy.
    for clone in one a/second/place; do
        echo "==> Building in $world/$clone"
        (unset CARGO_TARGET_DIR && "$world/$clone/packaging/release" --arch "$arch" --out "$world/$clone/dist") &
        builds+=($!)
    done
    for build in "${builds[@]}"; do
        wait "$build" || failed=1
    done
    [ -z "$failed" ] || fail "a build has failed"
    diff "$world/one/dist/SHA256SUMS" "$world/a/second/place/dist/SHA256SUMS" || fail "the two releases differ"
    mkdir -p "$OUT"
    cp -r "$world/one/dist/." "$OUT/"
    sign
    echo "==> The two releases are the same, byte for byte; one is in $OUT"
}
