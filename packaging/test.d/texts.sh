# shellcheck shell=bash
# Sourced by packaging/test: the manual page and the completions, read by what reads them.

test_texts() {
    with_tool mandoc "the manual page is clean to mandoc, and names every command" page_is_clean
    with_tool man "man shows the page without a warning" man_shows_the_page
    with_tool bash "bash completes commands, options and words" bash_completes
    with_tool zsh "zsh completes commands, options and words at a terminal" zsh_completes
    with_tool fish "fish completes commands and options" fish_completes
}

# with_tool TOOL SENTENCE COMMAND…
with_tool() {
    local tool=$1
    shift
    if command -v "$tool" >/dev/null; then claim "$@"; else skip "$1" "there is no $tool"; fi
}

page_is_clean() {
    local lint command page
    # Long input lines are a matter of style, and nobody edits this input; of clap_mangen's own macros some do nothing.
    for page in "$ARCHIVE"/man/*; do
        lint=$(mandoc -T lint -W warning "$page" | grep -vE ' STYLE: | br (before|after) sp$') || true
        [ -z "$lint" ] || { echo "$page: $lint"; return 1; }
    done
    mandoc -T ascii -O width=80 "$ARCHIVE/man/$NAME.1" | col -b >"$WORLD/page"
    for command in $(commands); do
        if ! grep -q "^ *$NAME-$command(1)$" "$WORLD/page" || [ ! -s "$ARCHIVE/man/$NAME-$command.1" ]; then
            echo "no $command"
            return 1
        fi
    done
    grep -q '^NAME$' "$WORLD/page" && grep -q '^EXIT STATUS$' "$WORLD/page"
}

# The operator's commands, as --help lists them.
commands() {
    "$BETA9_HELPER" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help
}

man_shows_the_page() {
    # In a width that the longest word of an example fits into.
    MANWIDTH=120 man --warnings -l "$ARCHIVE/man/$NAME.1" >"$WORLD/man" 2>"$WORLD/man.err"
    cat "$WORLD/man.err"
    [ ! -s "$WORLD/man.err" ]
    grep -q 'explain' "$WORLD/man"
}

# completed WORD…: what bash proposes for the last word.
completed() {
    # shellcheck disable=SC2016 # the inner shell's
    env -i PATH="$PATH" bash --norc -c '. "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        function_of=$(complete -p docker-credential-beta9 | sed "s/.* -F \([^ ]*\) .*/\1/")
        "$function_of" "$1" "${!#}" "${*: -2:1}"
        printf "%s\n" "${COMPREPLY[@]}"' "$ARCHIVE/completions/$NAME.bash" "$@"
}

bash_completes() {
    local command
    completed "$NAME" '' >"$WORLD/bash"
    for command in $(commands) get store erase list version; do
        grep -qx "$command" "$WORLD/bash" || { echo "no $command"; return 1; }
    done
    [ "$(completed "$NAME" expl)" = explain ]
    [ "$(completed "$NAME" explain --j)" = --json ]
    [ "$(completed "$NAME" completions z)" = zsh ]
}

# What a line has become after a tab, typed at a terminal.
tabbed() {
    local home=$WORLD/zsh
    mkdir -p "$home"
    cat >"$home/.zshrc" <<END
fpath=("$ARCHIVE/completions" \$fpath)
autoload -Uz compinit && compinit -D -u
report() { print -r -- \$BUFFER >"$home/line"; exit }
zle -N report
bindkey '^G' report
END
    rm -f "$home/line"
    # The bell is the key that ends it.
    printf '%s\t\a' "$1" | env -i PATH="$PATH" HOME="$home" ZDOTDIR="$home" TERM=dumb timeout 60 script -qec 'zsh -d -i' /dev/null
    cat "$home/line"
}

zsh_completes() {
    [[ $(tabbed "$NAME expl") == *"$NAME explain " ]]
    [[ $(tabbed "$NAME explain --js") == *"$NAME explain --json "* ]]
    [[ $(tabbed "$NAME completions z") == *"$NAME completions zsh"* ]]
    [[ $(tabbed "$NAME era") == *"$NAME erase "* ]]
}

fish_completes() {
    local command
    proposed() {
        # shellcheck disable=SC2016 # fish's
        env -i PATH="$PATH" HOME="$WORLD" fish --no-config -c 'source $argv[1]; complete -C $argv[2]' \
            "$ARCHIVE/completions/$NAME.fish" "$1" | cut -f 1
    }
    proposed "$NAME " >"$WORLD/fish"
    for command in $(commands) get store erase list version; do
        grep -qx "$command" "$WORLD/fish" || { echo "no $command"; return 1; }
    done
    [ "$(proposed "$NAME expl")" = explain ]
    [ "$(proposed "$NAME explain --j")" = --json ]
}
