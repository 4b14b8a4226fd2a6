# shellcheck shell=bash
# One line per claim, and the totals. A claim is a sentence and the commands that show it is true.

PASSED=0 FAILED=0 SKIPPED=0
MISSING=

# needs PROGRAM…: what the claims that follow cannot do without, beside the private world. On the PATH, or a path.
needs() {
    MISSING=$WORLD_MISSING
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null && continue
        case $tool in
            "$BUILT"/*) lacks "${tool#"$REPO/"} from tests/real/install" ;;
            *) lacks "$tool" ;;
        esac
    done
}

# lacks WHAT: the claims that follow are skipped, and say what for.
lacks() {
    MISSING+="${MISSING:+, }$1"
}

# claim SENTENCE COMMAND…: the command shows that the sentence is true. It has a HOME of its own.
claim() {
    local sentence=$1 status
    shift
    if [ -n "$MISSING" ]; then
        printf 'skip %s (needs %s)\n' "$sentence" "$MISSING"
        SKIPPED=$((SKIPPED + 1))
        return
    fi
    fresh_home
    attempt "$WORLD/claim.log" "$@"
    status=$?
    if [ "$status" = 0 ]; then
        printf 'ok   %s\n' "$sentence"
        PASSED=$((PASSED + 1))
    else
        failed "$sentence" "$WORLD/claim.log"
    fi
}

# attempt LOG COMMAND…: as in a script of its own with `set -e`; the log ends with what failed. Its status must be read
# with $?, because bash ignores set -e in a condition.
attempt() {
    local log=$1
    shift
    (
        set -eE
        : >"$log"
        exec >>"$log" 2>&1
        trap 'echo "this failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)" >>"$log"' ERR
        "$@"
    )
}

# failed SENTENCE [LOG…]
failed() {
    printf 'FAIL %s\n' "$1"
    shift
    [ $# = 0 ] || tail -q -n 15 "$@" | sed 's/^/     | /'
    FAILED=$((FAILED + 1))
}

# The totals are the last line that is printed, whatever happened before.
totals() {
    printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
    [ "$FAILED" = 0 ] || return 1
    [ "${STRICT:-0}" != 1 ] || [ "$SKIPPED" = 0 ]
}
