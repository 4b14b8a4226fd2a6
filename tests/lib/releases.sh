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
    claim "a signed release whose list is in doubt, or whose archive holds more than it should, is refused" refuses_a_doubtful_release
    claim "a server that redirects to http, breaks off or never ends is refused in one line, and nothing is left" refuses_hostile_servers
    claim "stopped while a server does not answer, --from leaves nothing behind" stops_while_it_waits
    claim "where there is no room, --from says so in one line, and the old program stays" needs_room
    claim "a script from a pipe takes neither a key nor sources from the current directory" trusts_no_current_directory
    claim "somebody else than root, with a narrow umask and a home of an odd name, installs for everybody to run" installs_as_somebody
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
    refuses_older() {
        make_release "$p/old" "$2"
        census "$p/to" >"$p/before"
        refuses_in_one_line "$p/old has $2, but $p/to/bin/$PROGRAM is $1" from "$p/old" "$p/to"
        census "$p/to" | diff "$p/before" -
    }
    refuses_older 1.1.0 1.0.0
    refuses_older 1.1.0 1.1.0-rc.1
    make_release "$p/ten" 1.10.0-rc.10
    from "$p/ten" "$p/to"
    for version in 1.9.0 1.9.99 1.10.0-rc.9 1.10.0-alpha; do refuses_older 1.10.0-rc.10 "$version"; done
    # Nothing is known of one that does not run.
    echo 'exit 1' >"$p/to/bin/$PROGRAM"
    from "$p/one" "$p/to"
    has_version "$p/to" 1.0.0
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
    # The right key's, of another file; and of this one, in the older format that signs the file itself.
    of_another() {
        echo other >"$R/other"
        minisign -S -s "$WORLD/key.sec" -t 'a release' -m "$R/other" -x "$R/SHA256SUMS.minisig"
    }
    spoiled 'does not match its signature' of_another
    spoiled 'is not a signature of minisign' minisign -S -l -s "$WORLD/key.sec" -m "$R/SHA256SUMS" -x "$R/SHA256SUMS.minisig"
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
    mkdir "$P.alone"
    cp "$INSTALL" "$P.alone/"
    refuses_in_one_line "$P.alone/packaging/minisign.pub cannot be read: name the file" env -i PATH="$PATH" sh "$P.alone/install.sh" \
        --from "$R" --prefix "$P"
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

refuses_a_doubtful_release() {
    local R P
    P=$(prefix)
    R=$P.release
    make_release "$R" 1.0.0
    from "$R" "$P"
    census "$P" >"$P.before"
    without_the_archive() {
        sed -i '/1.2.0/d' "$R/SHA256SUMS"
        sign "$R"
    }
    spoiled "has no archive for $(machine)" without_the_archive
    named_twice() {
        echo "$(printf '%064d' 1)  $PROGRAM-1.2.0-$(machine)-unknown-linux-musl.tar.gz" >>"$R/SHA256SUMS"
        sign "$R"
    }
    spoiled "SHA256SUMS names $PROGRAM-1.2.0-$(machine)-unknown-linux-musl.tar.gz twice" named_twice
    # The name of a file elsewhere is none of an archive.
    named_elsewhere() {
        sed -i "s,  $PROGRAM-1.2.0,  ../$PROGRAM-1.2.0," "$R/SHA256SUMS"
        sign "$R"
    }
    spoiled "has no archive for $(machine)" named_elsewhere
    # holds OPTION…: what tar packs beside the program.
    holds_more() {
        local name
        name=$PROGRAM-1.2.0-$(machine)-unknown-linux-musl
        make_release "$R" 1.2.0
        tar -P -C "$WORLD/packed" -czf "$R/$name.tar.gz" "$name" "$@"
        (cd "$R" && sha256sum "$name.tar.gz" >SHA256SUMS)
        sign "$R"
        refuses 'holds' from "$R" "$P"
        [ "$(cat "$P.victim")" = victim ]
        has_version "$P" 1.0.0
        only_the_program_in "$P"
    }
    echo victim >"$P.victim"
    ln -s "$P.victim" "$P.link"
    holds_more "$P.victim"
    holds_more -C "$P" "../${P##*/}.victim"
    holds_more "$P.link"
    holds_more --transform "s,.*link,$PROGRAM-1.2.0-$(machine)-unknown-linux-musl/README.md," "$P.link"
    census "$P" | diff <(without_times "$P.before") <(without_times)
}

without_times() {
    sed 's/ [^ ]* [^ ]*$//' "$@"
}

# serve DIR: DIR is at /good; /moved leads there by plain http, /broken breaks off in the middle, /endless does not end, and
# /silent does not begin. Sets PORT; the server ends with the claim.
serve() {
    local server said
    said=$(mktemp "$WORLD/said.XXXXXX")
    python3 -u - "$1" >"$said" 2>&1 <<'END' &
import http.server, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        how, name = self.path.split("/")[-2:]
        with open(os.path.join(sys.argv[1], name), "rb") as file:
            body = file.read()
        if how == "silent":
            time.sleep(600)
        self.send_response(302 if how == "moved" else 200)
        if how == "moved":
            self.send_header("Location", f"http://localhost:{self.server.server_port}/good/{name}")
        elif how != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        while how == "endless":
            self.wfile.write(b"0" * 65536)
        if how != "moved":
            self.wfile.write(body[: len(body) // 2] if how == "broken" else body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print("port", server.server_port)
server.serve_forever()
END
    server=$!
    # shellcheck disable=SC2064 # it is this process that goes with the claim
    trap "kill $server" EXIT
    until grep -q '^port ' "$said"; do
        kill -0 "$server" || return
        sleep 0.05
    done
    PORT=$(sed -n 's/^port //p' "$said")
}

refuses_hostile_servers() {
    local p how PORT
    p=$(prefix)
    make_release "$p/release" 1.2.0
    serve "$p/release"
    mkdir "$p/tmp" "$p/path"
    # shellcheck disable=SC2086  # the directories are words
    find ${PATH//:/ } -maxdepth 1 ! -name curl -exec ln -sf -t "$p/path" {} + 2>/dev/null || :
    at() {
        env -i PATH="$PATH" HOME="$SCRATCH_HOME" TMPDIR="$p/tmp" sh "$INSTALL" --from "http://user:pass@127.0.0.1:$PORT/$1" --key "$KEY" \
            --prefix "$p/to"
    }
    refuses_in_one_line "http://127.0.0.1:$PORT/moved/SHA256SUMS cannot be read: curl: " at moved
    for how in broken endless; do
        refuses_in_one_line "http://127.0.0.1:$PORT/$how/SHA256SUMS cannot be read" at "$how"
        PATH=$p/path refuses_in_one_line "http://127.0.0.1:$PORT/$how/SHA256SUMS cannot be read" at "$how"
    done
    [ -z "$(ls -A "$p/tmp")" ] && [ ! -e "$p/to" ]
    at good
    has_version "$p/to" 1.2.0
    [ -z "$(ls -A "$p/tmp")" ]
}

stops_while_it_waits() {
    local p installing PORT
    p=$(prefix)
    make_release "$p/release" 1.2.0
    serve "$p/release"
    mkdir "$p/tmp"
    setsid env -i PATH="$PATH" HOME="$SCRATCH_HOME" TMPDIR="$p/tmp" sh "$INSTALL" --from "http://127.0.0.1:$PORT/silent" --key "$KEY" \
        --prefix "$p/to" &
    installing=$!
    until [ -n "$(ls -A "$p/tmp")" ]; do
        kill -0 "$installing" || return
        sleep 0.05
    done
    kill -TERM -- "-$installing"
    if wait "$installing"; then return 1; fi
    [ -z "$(ls -A "$p/tmp")" ] && [ ! -e "$p/to" ]
}

# As on a full disk, no file may grow beyond a bound: that of the archive, or of the program in it.
needs_room() {
    local p name
    p=$(prefix)
    make_release "$p/release" 1.0.0
    from "$p/release" "$p/to"
    name=$PROGRAM-1.2.0-$(machine)-unknown-linux-musl.tar.gz
    cp "$WORLD/new.tar.gz" "$p/release/$name"
    (cd "$p/release" && sha256sum "$name" >SHA256SUMS)
    sign "$p/release"
    census "$p/to" >"$p/before"
    # full KIB
    full() {
        (trap '' XFSZ && ulimit -f "$1" && from "$p/release" "$p/to")
    }
    refuses_in_one_line "the program cannot be written to $p/to/bin; nothing was changed" full "$(($(stat -c %s "$HELPER") / 1024 + 2000))"
    refuses_in_one_line "$name cannot be read" full 100
    census "$p/to" | diff <(without_times "$p/before") <(without_times)
    has_version "$p/to" 1.0.0
}

trusts_no_current_directory() {
    local p
    p=$(prefix)
    make_release "$p/release" 1.2.0
    mkdir "$p/packaging"
    cp "$KEY" "$p/packaging/minisign.pub"
    touch "$p/Cargo.lock"
    echo "touch '$p/ran'" >"$p/packaging/toolchain.sh"
    piped() {
        cd "$p" || return
        env -i PATH="$PATH" HOME="$p" TMPDIR="$WORLD" sh -s -- --prefix "$p/to" "$@" <"$INSTALL"
    }
    refuses_in_one_line 'no key lies beside it: name the release' piped --from "$p/release"
    refuses_in_one_line 'there are no sources beside this script' piped
    [ ! -e "$p/ran" ] && [ ! -e "$p/to" ]
    piped --from "$p/release" --key "$KEY"
    has_version "$p/to" 1.2.0
    cp "$INSTALL" "$p/"
    cd "$p" || return
    env -i PATH="$PATH" HOME="$p" TMPDIR="$WORLD" CDPATH=/tmp sh install.sh --from release --prefix beside
    has_version "$p/beside" 1.2.0
}

installs_as_somebody() {
    local p as=() home
    p=$(prefix)
    home="$p/a home, it's odd"
    make_release "$p/release" 1.2.0
    cp "$KEY" "$p/the key"
    mkdir "$home"
    chmod 755 "$p"
    if [ "$(id -u)" = 0 ] && command -v setpriv; then
        as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        chown 65534:65534 "$home"
    fi
    (umask 077 && cd "$p" && "${as[@]}" env -i PATH="$PATH" HOME="$home" TMPDIR="$home" PREFIX="$home/.local" sh -s -- --from release \
        --key 'the key' <"$INSTALL")
    has_version "$home/.local" 1.2.0
    [ "$(stat -c %a "$home/.local" "$home/.local/bin" "$home/.local/bin/$PROGRAM" | tr '\n' ' ')" = '755 755 755 ' ]
    [ -z "$(find "$home" -type f ! -perm 644 ! -name "$PROGRAM")" ]
    [ "$(ls -A "$home")" = .local ]
}
