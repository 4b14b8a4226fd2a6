# shellcheck shell=bash
# Sourced by the test scripts: one line per claim, and the totals last.

PASSED=0 FAILED=0 SKIPPED=0

# claim SENTENCE COMMAND…: the command, a function of the script, runs as a script of its own under `set -e` and pipefail:
# who reads only the beginning of a pipe (grep -q, head) may make who writes into it fail. What it wrote is shown only when
# it fails.
claim() {
    local sentence=$1 log status
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/claim.XXXXXX")
    # Not `if ( … )`: bash ignores set -e inside a condition.
    (
        set -eEo pipefail
        trap 'echo "this failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)"' ERR
        "$@"
    ) >"$log" 2>&1 </dev/null
    status=$?
    if [ "$status" = 0 ]; then
        echo "ok   $sentence"
        PASSED=$((PASSED + 1))
    else
        echo "FAIL $sentence"
        sed 's/^/     /' "$log"
        FAILED=$((FAILED + 1))
    fi
    rm -f "$log"
}

# skip SENTENCE WHY
skip() {
    echo "skip $1 ($2)"
    SKIPPED=$((SKIPPED + 1))
}

# may_watch: whether a process may look into another here, as packaging/order does.
may_watch() {
    command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null
}

# add_totals FILE: counts the claims of another test, by its last line. A test that ends without totals has failed.
add_totals() {
    if [[ $(tail -n 1 "$1") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        PASSED=$((PASSED + BASH_REMATCH[1])) FAILED=$((FAILED + BASH_REMATCH[2])) SKIPPED=$((SKIPPED + BASH_REMATCH[3]))
    else
        FAILED=$((FAILED + 1))
        echo "FAIL it ended without its totals"
    fi
}

# Prints the totals; fails when a claim failed or, with STRICT=1, when one was skipped.
totals() {
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ] && { [ "${STRICT:-0}" != 1 ] || [ "$SKIPPED" = 0 ]; }
}
