# shellcheck shell=bash
# One line per claim, and the totals. A claim is a sentence and the commands that show it is true.

PASSED=0 FAILED=0 SKIPPED=0
MISSING=

# needs TOOL…: what the claims that follow cannot do without, beside the private world: programs on the PATH, or paths.
needs() {
    MISSING=$WORLD_MISSING
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || lacks "${tool##*/}"
    done
}

# lacks WHAT: the claims that follow are skipped, and say what for.
lacks() {
    MISSING+="${MISSING:+, }$1"
}

# claim SENTENCE COMMAND…: runs the command as `set -e` would in a script of its own, with a HOME of its own.
claim() {
    local sentence=$1 log status
    shift
    if [ -n "$MISSING" ]; then
        printf 'skip %s (needs %s)\n' "$sentence" "$MISSING"
        SKIPPED=$((SKIPPED + 1))
        return
    fi
    log=$WORLD/claim.log
    # Not `if ( … )`: bash ignores set -e inside a condition.
    (
        set -eE
        fresh_home
        : >"$log"
        exec >>"$log" 2>&1
        trap 'echo "this failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)" >>"$log"' ERR
        "$@"
    )
    status=$?
    if [ "$status" = 0 ]; then
        printf 'ok   %s\n' "$sentence"
        PASSED=$((PASSED + 1))
    else
        printf 'FAIL %s\n' "$sentence"
        tail -n 15 "$log" | sed 's/^/     | /'
        FAILED=$((FAILED + 1))
    fi
}

# The totals are the last line that is printed, whatever happened before.
totals() {
    printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
    [ "$FAILED" = 0 ] || return 1
    [ "${STRICT:-0}" != 1 ] || [ "$SKIPPED" = 0 ]
}
