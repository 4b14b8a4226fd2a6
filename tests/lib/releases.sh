# shellcheck shell=bash
# Single quotes are of what is written into scripts, functions are called by claims, and what is not set here tests/install sets.
# shellcheck disable=SC2016,SC2153,SC2317
# Sourced by tests/install: what `install.sh --from` promises, with releases that minisign has signed.

test_releases() {
    if ! command -v minisign >/dev/null; then
        skip "a signed release is installed, and what is not as it was signed is refused" "minisign is needed to sign one"
        return
    fi
    KEY=$WORLD/key.pub
    make_key "$KEY" "$WORLD/key.sec"
    make_key "$WORLD/other.pub" "$WORLD/other.sec"
    claim "--from installs the newest archive for this machine, in any order of the list" installs_the_newest
    claim "--from needs no Rust: the real program is installed, stores a credential and answers" installs_without_rust
    claim "--from takes a URL, with curl and with wget" installs_from_a_url
    claim "versions are ordered by number, and a pre-release is before its release" orders_versions
    claim "--from upgrades, installs the same version again, and refuses an older one" refuses_an_older_version
    claim "another key, a changed list, signature, comment or archive is refused in one line, and nothing is changed" refuses_what_is_not_signed
    claim "what --from cannot find or read is named in one line, and nothing is changed" names_what_is_missing
}

make_key() {
    minisign -G -W -f -p "$1" -s "$2" >/dev/null
}

machine() {
    uname -m | sed 's/^arm64$/aarch64/'
}

# make_release DIR VERSION…: archives of programs that say their version, their sums in this order, and the signature.
make_release() {
    local dir=$1 version name
    shift
    rm -rf "$dir"
    mkdir -p "$dir"
    for version in "$@"; do
        name=$PROGRAM-$version-$(machine)-unknown-linux-musl
        mkdir -p "$WORLD/packed/$name"
        printf '#!/bin/sh\n[ "$1" != version ] || echo "%s %s"\n' "$PROGRAM" "$version" >"$WORLD/packed/$name/$PROGRAM"
        tar -C "$WORLD/packed" -czf "$dir/$name.tar.gz" "$name"
        (cd "$dir" && sha256sum "$name.tar.gz" >>SHA256SUMS)
    done
    echo "$(printf '%064d' 0)  $PROGRAM-99.0.0-sparc-unknown-linux-musl.tar.gz" >>"$dir/SHA256SUMS"
    sign "$dir"
}

sign() {
    minisign -S -W -s "${2:-$WORLD/key.sec}" -t "a release" -m "$1/SHA256SUMS" -x "$1/SHA256SUMS.minisig" >/dev/null
}

# from DIR PREFIX OPTION…
from() {
    run --from "$1" --key "$KEY" --prefix "$2" "${@:3}"
}

has_version() {
    [ "$("$1/bin/$PROGRAM" version)" = "$PROGRAM $2" ]
}

installs_the_newest() {
    local p
    p=$(prefix)
    make_release "$p/a" 0.2.0 0.10.0 0.9.1
    from "$p/a" "$p/to" | grep "Installed $p/to/bin/$PROGRAM: $PROGRAM 0.10.0"
    has_version "$p/to" 0.10.0
    only_the_program_in "$p/to"
    make_release "$p/b" 0.10.1-rc.1 0.10.1 0.2.0
    (cd "$p" && from b to)
    has_version "$p/to" 0.10.1
}

installs_without_rust() {
    local p name program version answer
    p=$(prefix)
    make_bare_path "$p/path"
    for program in openssl tar gzip sha256sum tr od tail wc awk grep cmp chmod mv mktemp uname sync find sort; do
        ln -sf "$(command -v "$program")" "$p/path/$program"
    done
    version=$("$HELPER" version | cut -d ' ' -f 2)
    name=$PROGRAM-$version-$(machine)-unknown-linux-musl.tar.gz
    mkdir "$p/release"
    cp "$WORLD/old.tar.gz" "$p/release/$name"
    (cd "$p/release" && sha256sum "$name" >SHA256SUMS)
    sign "$p/release"
    env -i PATH="$p/path" HOME="$p" TMPDIR="$WORLD" sh "$INSTALL" --from "$p/release" --key "$KEY" --prefix "$p/to"
    holds "$p/to" old
    echo '{"ServerURL":"a.example","Username":"u","Secret":"s"}' | env -i HOME="$p" "$p/to/bin/$PROGRAM" store
    answer=$(echo a.example | env -i HOME="$p" "$p/to/bin/$PROGRAM" get)
    [ "$answer" = '{"ServerURL":"a.example","Username":"u","Secret":"s"}' ]
}

installs_from_a_url() {
    local p port server
    command -v curl
    command -v wget
    p=$(prefix)
    make_release "$p/site/v2" 2.0.0
    python3 -u -m http.server --bind 127.0.0.1 --directory "$p/site" 0 >"$p/said" 2>&1 &
    server=$!
    # shellcheck disable=SC2064 # it is this process that goes with the claim
    trap "kill $server" EXIT
    until grep -q ' port [0-9]' "$p/said"; do
        kill -0 "$server"
        sleep 0.05
    done
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$p/said")
    from "http://127.0.0.1:$port/v2" "$p/curl"
    has_version "$p/curl" 2.0.0
    mkdir "$p/path"
    # shellcheck disable=SC2086  # the directories are words
    find ${PATH//:/ } -maxdepth 1 ! -name curl -exec ln -sf -t "$p/path" {} + 2>/dev/null || :
    PATH=$p/path from "http://127.0.0.1:$port/v2/" "$p/wget"
    has_version "$p/wget" 2.0.0
    refuses_in_one_line "http://127.0.0.1:$port/v3/SHA256SUMS cannot be read" from "http://127.0.0.1:$port/v3" "$p/none"
    [ ! -e "$p/none" ]
}

orders_versions() {
    local p older newer
    p=$(prefix)
    while read -r older newer; do
        make_release "$p/release" "$newer" "$older"
        from "$p/release" "$p/to-$newer"
        has_version "$p/to-$newer" "$newer"
    done <<'END'
0.9.9 0.10.0
0.2.0-rc.1 0.2.0
0.2.0-rc.2 0.2.0-rc.10
0.2.0-alpha 0.2.0-beta
0.2.0 0.2.1-rc.1
9.0.0 10.0.0-rc.1
0.2.0-1 0.2.0-rc
END
}

refuses_an_older_version() {
    local p version
    p=$(prefix)
    make_release "$p/one" 1.0.0
    make_release "$p/two" 1.1.0
    from "$p/one" "$p/to"
    from "$p/two" "$p/to"
    has_version "$p/to" 1.1.0
    from "$p/two" "$p/to" | grep 'is there already'
    for version in 1.0.0 1.1.0-rc.1; do
        make_release "$p/old" "$version"
        census "$p/to" >"$p/before"
        refuses_in_one_line "$p/old has $version, but $p/to/bin/$PROGRAM is 1.1.0" from "$p/old" "$p/to"
        census "$p/to" | diff "$p/before" -
    done
}

# refuses_in_one_line TEXT COMMAND…
refuses_in_one_line() {
    local output
    refuses "$@"
    output=$("${@:2}" 2>&1) || [[ $output != *$'\n'* ]] || { echo "more than a line: $output"; return 1; }
}

census() {
    find "$1" -printf '%M %p %s %T@ %i\n' | sort
}

# spoiled TEXT COMMAND…: a fresh release, of which the command spoils something ($R), is refused, and the prefix ($P) stays.
spoiled() {
    local text=$1
    shift
    make_release "$R" 1.2.0
    "$@"
    refuses_in_one_line "$text" from "$R" "$P"
    census "$P" | diff "$P.before" -
    refuses_in_one_line "$text" from "$R" "$P.none"
    [ ! -e "$P.none" ]
}

refuses_what_is_not_signed() {
    local R P
    P=$(prefix)
    R=$P.release
    make_release "$R" 1.0.0
    from "$R" "$P"
    census "$P" >"$P.before"
    spoiled 'is signed with another key' sign "$R" "$WORLD/other.sec"
    # The right id before another key's signature.
    claims_the_key() {
        sign "$R" "$WORLD/other.sec"
        swap_key_id
    }
    spoiled 'does not match its signature' claims_the_key
    spoiled 'does not match its signature' sed -i s/1.2.0/1.3.0/ "$R/SHA256SUMS"
    spoiled 'does not match its signature' eval 'echo >>"$R/SHA256SUMS"'
    spoiled 'does not match its signature' sed -i '3s/release/r3lease/' "$R/SHA256SUMS.minisig"
    spoiled 'is not a signature of minisign' eval ': >"$R/SHA256SUMS.minisig"'
    spoiled 'is not a signature of minisign' sed -i '2s/.*/AAAA/' "$R/SHA256SUMS.minisig"
    spoiled 'does not match its signature' sed -i 4d "$R/SHA256SUMS.minisig"
    spoiled 'does not match SHA256SUMS' eval 'echo evil >>"$(echo "$R"/*.tar.gz)"'
    another_archive() {
        mkdir -p "$P.evil"
        printf '#!/bin/sh\necho "%s 1.2.0"\n' "$PROGRAM" >"$P.evil/$PROGRAM"
        tar -C "$P.evil" -czf "$(echo "$R"/*.tar.gz)" "$PROGRAM"
    }
    spoiled 'does not match SHA256SUMS' another_archive
}

swap_key_id() {
    local id
    id=$(tail -n 1 "$KEY" | base64 -d | head -c 10 | tail -c 8 | base64)
    {
        sed -n 1p "$R/SHA256SUMS.minisig"
        { printf ED && base64 -d <<<"$id" && sed -n 2p "$R/SHA256SUMS.minisig" | base64 -d | tail -c 64; } | base64 -w 0
        echo
        sed -n '3,4p' "$R/SHA256SUMS.minisig"
    } >"$R/swapped"
    mv "$R/swapped" "$R/SHA256SUMS.minisig"
}

names_what_is_missing() {
    local R P p
    P=$(prefix)
    R=$P.release p=$P.path
    make_release "$R" 1.0.0
    from "$R" "$P"
    census "$P" >"$P.before"
    spoiled "$R/SHA256SUMS cannot be read" rm "$R/SHA256SUMS"
    spoiled "$R/SHA256SUMS.minisig cannot be read" rm "$R/SHA256SUMS.minisig"
    spoiled '.tar.gz cannot be read' eval 'rm "$R"/*.tar.gz'
    only_foreign() {
        sed -i '/sparc/!d' "$R/SHA256SUMS"
        sign "$R"
    }
    spoiled "has no archive for $(machine)" only_foreign
    make_release "$R" 1.2.0
    refuses_in_one_line "$P/none cannot be read" run --from "$R" --key "$P/none" --prefix "$P"
    refuses_in_one_line "packaging/minisign.pub cannot be read: name the file" env -i PATH="$PATH" sh -s -- --from "$R" --prefix "$P" <"$INSTALL"
    echo 'no key' >"$R/no.pub"
    refuses_in_one_line "$R/no.pub is not a public key of minisign" run --from "$R" --key "$R/no.pub" --prefix "$P"
    make_bare_path "$p"
    for name in uname mktemp; do ln -s "$(command -v "$name")" "$p/"; done
    refuses 'openssl is missing' env -i PATH="$p" HOME="$P" sh "$INSTALL" --from "$R" --key "$KEY" --prefix "$P"
    # As OpenSSL 1.1 does, which cannot check what Ed25519 has signed.
    printf '#!/bin/sh\n[ "$2" != -help ] || echo "Usage: pkeyutl"\n' >"$p/openssl"
    chmod +x "$p/openssl"
    ln -s "$(command -v grep)" "$p/"
    refuses 'openssl is older than version 3' env -i PATH="$p" HOME="$P" sh "$INSTALL" --from "$R" --key "$KEY" --prefix "$P"
    census "$P" | diff "$P.before" -
}
