# shellcheck shell=bash
# Sourced by the tests of the documents: whether the links of a Markdown page lead to what is there. No network is asked.

# links_of PAGE: a path below the working directory. A page of the book has links within the book only, because the book is
# built without what is around it.
links_of() {
    local page=$1 dir target file
    dir=$(dirname "$page")
    while IFS= read -r target; do
        case $target in
        https://*) continue ;;
        '#'*) file=$page ;;
        *) file=$dir/${target%%#*} ;;
        esac
        [ -e "$file" ] || { echo "$page: no file $target"; return 1; }
        if [[ $page == docs/* && $(realpath --relative-to=docs "$file") == ../* ]]; then
            echo "$page: $target leaves the book; name it in backquotes"
            return 1
        fi
        [[ $target != *'#'* ]] || anchors_of "$file" | grep -xF -- "${target##*#}" >/dev/null || { echo "$page: no section $target"; return 1; }
    done < <(prose_of "$page" | sed -n 's/](/\n](/gp' | sed -n 's/^](\([^) ]*\).*/\1/p')
}

# anchors_of PAGE: as GitHub and mdBook name the sections.
anchors_of() {
    prose_of "$1" | sed -n 's/^##* //p' | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-'
}

# prose_of PAGE: without its blocks of code, and in lines without what is in backquotes but in headings.
prose_of() {
    awk '/^```/ { code = !code; next } code { next } !/^#/ { gsub(/`[^`]*`/, "") } { print }' "$1"
}
