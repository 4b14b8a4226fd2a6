#!/bin/sh
# Installs docker-credential-beta9: from a signed release, from an archive, or built here. See --help.
set -eu

PROGRAM=docker-credential-beta9
# Each has a manual page.
COMMANDS="check completions configure doctor explain export import man migrate mirror provision prune publish refresh resolve status with"

usage() {
    cat <<END
Usage: ./install.sh [--prefix DIR] [--demo]                             build with cargo, and install
       ./install.sh --from URL|DIR [--key FILE] [--prefix DIR] [--demo]  install the newest archive of a signed release
       ./install.sh --archive FILE --sha256 SUM [--prefix DIR] [--demo]  install from one archive
       ./install.sh --uninstall [--undo] [--prefix DIR]                 remove the program again

  --prefix DIR    install DIR/bin/$PROGRAM, and the manual page and completions in DIR/share
                  (default: \$PREFIX if it is set, else /usr/local for root, \$HOME/.local for others)
  --from URL|DIR  where a release is: its archives, SHA256SUMS and SHA256SUMS.minisig. Signature, checksum and version
                  are checked first; an older version than the installed one is refused. Needs openssl, but no Rust
  --key FILE      the public key of the release, as minisign writes it (default: packaging/minisign.pub beside this script)
  --archive FILE  a .tar.gz that holds the program; nothing is built
  --sha256 SUM    the archive's SHA-256; it is checked before anything is unpacked
  --demo          then store, get, explain and erase a credential in a scratch directory, and show it
  --uninstall     remove what was installed; stored credentials stay; refused while a client's file names the program
  --undo          take it out of the clients' files first
  --help          this text
END
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

note() {
    echo "==> $1"
}

main() {
    prefix='' archive='' sum='' from='' key='' demo='' uninstall='' undo='' aside='' scratch='' fetched=''
    # Where this script lies. One that is read from a pipe lies nowhere, and what is in the current directory is anybody's.
    here=''
    case ${0##*/} in install.sh) here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) ;; esac
    while [ $# -gt 0 ]; do
        case $1 in
        --prefix | --archive | --sha256 | --from | --key)
            [ -n "${2:-}" ] || fail "$1 needs a value; see ./install.sh --help"
            case $1 in --prefix) prefix=$2 ;; --archive) archive=$2 ;; --sha256) sum=$2 ;; --from) from=$2 ;; *) key=$2 ;; esac
            shift
            ;;
        --prefix=?*) prefix=${1#*=} ;;
        --archive=?*) archive=${1#*=} ;;
        --from=?*) from=${1#*=} ;;
        --key=?*) key=${1#*=} ;;
        --sha256=?*) sum=${1#*=} ;;
        --demo) demo=yes ;;
        --uninstall) uninstall=yes ;;
        --undo) undo=yes ;;
        --help | -h) usage && exit ;;
        *) fail "unknown option $1; see ./install.sh --help" ;;
        esac
        shift
    done
    [ -n "$archive" ] || [ -z "$sum" ] || fail "--sha256 goes with --archive"
    [ -z "$archive" ] || [ -n "$sum" ] ||
        fail "--archive needs --sha256 SUM: the checksum that was published with the archive, from another place than the archive"
    [ -z "$from" ] || [ -z "$archive" ] || fail "--from and --archive exclude each other"
    [ -n "$from" ] || [ -z "$key" ] || fail "--key goes with --from"
    [ -z "$uninstall" ] || [ -z "$archive$from$demo" ] || fail "--uninstall goes with --prefix and --undo only"
    [ -z "$undo" ] || [ -n "$uninstall" ] || fail "--undo goes with --uninstall"

    # The program is for everybody who may enter the prefix, whatever the umask of who installs it.
    umask 022
    trap clean EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    choose_prefix
    if [ -n "$uninstall" ]; then
        uninstall
        return
    fi
    [ -z "$from" ] || take_release
    if [ -n "$archive" ]; then
        prepare_prefix
        unpack
    else
        # Before minutes of building, not after.
        find_tools
        prepare_prefix
        build
    fi
    put_in_place
    put_texts
    [ -z "$demo" ] || run_demo
    how_to_go_on
}

clean() {
    [ -z "$aside" ] || rm -rf "$aside"
    [ -z "$scratch" ] || rm -rf "$scratch"
    [ -z "$fetched" ] || rm -rf "$fetched"
}

choose_prefix() {
    prefix=${prefix:-${PREFIX:-}}
    if [ -z "$prefix" ]; then
        if [ "$(id -u)" = 0 ]; then
            prefix=/usr/local
        else
            [ -n "${HOME:-}" ] || fail "HOME is not set: say where to install, with --prefix DIR"
            prefix=$HOME/.local
        fi
    fi
    case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
    bin=$prefix/bin
    target=$bin/$PROGRAM
}

prepare_prefix() {
    if ! mkdir -p "$bin" 2>/dev/null || ! [ -w "$bin" ]; then
        fail "$bin cannot be written: choose another place with --prefix DIR, or run this as its owner"
    fi
    [ ! -d "$target" ] || [ -L "$target" ] || fail "$target is a directory: move it out of the way"
    sweep
    # In the same directory, so that the last step is one rename: there is the old program, or the new one.
    aside=$bin/.$PROGRAM.install.$$
    mkdir -m 700 "$aside" || fail "$aside cannot be made"
}

# Removes what killed runs have left behind. The number is the process that made it.
sweep() {
    for left in "$bin/.$PROGRAM.install."*; do
        if [ ! -d "$left" ] || [ -L "$left" ]; then continue; fi
        kill -0 "${left##*.}" 2>/dev/null || [ -d "/proc/${left##*.}" ] || rm -rf "$left"
    done
}

find_tools() {
    [ -f "${here:-/nowhere}/Cargo.lock" ] ||
        fail "there are no sources beside this script: clone the repository, or give --archive FILE --sha256 SUM"
    # shellcheck source=packaging/toolchain.sh
    . "$here/packaging/toolchain.sh"
    command -v cargo >/dev/null || fail "cargo is not on the PATH: install Rust (https://rustup.rs), or give --archive FILE --sha256 SUM"
    find_toolchain || fail "cargo does not run: $(cargo --version 2>&1 | head -n 1)"
    [ -n "${CC:-}" ] || command -v cc >/dev/null ||
        fail "there is no C compiler (cc): install one (Debian: apt-get install gcc; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev)"
}

build() {
    host=$(rustc -vV | sed -n 's/^host: //p')
    out=${CARGO_TARGET_DIR:-$here/target}
    case $out in /*) ;; *) out=$PWD/$out ;; esac
    static='' lacking=''
    case $host in
    *-linux-gnu)
        static=${host%-gnu}-musl
        rustlib=$(rustc --print sysroot)/lib/rustlib
        # As it fetches the crates; without a network there is the other program.
        if [ ! -d "$rustlib/$static" ] && command -v rustup >/dev/null; then
            note "Adding the target $static to Rust"
            (cd "$here" && rustup target add "$static") >/dev/null 2>&1 || :
        fi
        lacking=$(static_lacks)
        ;;
    esac
    if [ -n "$lacking" ]; then
        note "Building the program with this machine's C library: it starts slower than the static one. $lacking"
        static=''
    else
        note "Building the static program${static:+, for $static}"
    fi
    # The machine's own compiler, whatever its name; .cargo/config.toml has the rest.
    cc_variable=CC_$(printf %s "$static" | tr - _)
    (cd "$here" && env "$cc_variable=${CC:-cc}" cargo build --release --locked --target-dir "$out" ${static:+--target "$static"})
    built=$out/${static:+$static/}release/$PROGRAM
    if [ -f "$built.unordered" ] && IFS= read -r why <"$built.unordered"; then
        note "Linked without the order of functions, so that it starts slower: $why"
    fi
    cp "$built" "$aside/$PROGRAM"
}

# What to do for a static program, which starts faster and runs on any Linux; nothing where all is there.
static_lacks() {
    if [ ! -d "$rustlib/$static" ]; then
        echo "For that one, run \"rustup target add $static\" and install again"
    elif [ ! -x "$rustlib/$host/bin/rust-lld" ]; then
        echo "For that one, install Rust with rustup (https://rustup.rs), which brings the linker rust-lld, and install again"
    fi
}

# Sets archive and sum to the newest archive for this machine. Until all is checked, nothing below the prefix is touched.
take_release() {
    key=${key:-${here:+$here/packaging/minisign.pub}}
    [ -n "$key" ] || fail "this script was not started from a file, so no key lies beside it: name the release's with --key FILE"
    if [ ! -r "$key" ] || [ -d "$key" ]; then
        fail "$key cannot be read: name the file with the public key of the release, with --key FILE"
    fi
    # A password in the address is for the server alone.
    shown=$(printf %s "${from%/}" | sed 's,^\([a-z]*://\)[^/]*@,\1,')
    machine=$(uname -m)
    [ "$machine" != arm64 ] || machine=aarch64
    fetched=$(mktemp -d "${TMPDIR:-/tmp}/$PROGRAM-release.XXXXXX")
    fetch SHA256SUMS 1
    fetch SHA256SUMS.minisig 1
    check_signature "$fetched/SHA256SUMS"
    choose_newest "$fetched/SHA256SUMS"
    installed=$("$target" version 2>/dev/null) || installed=''
    installed=${installed#"$PROGRAM "}
    if [ -n "$installed" ] && is_older "$newest" "$installed"; then
        fail "$shown has $newest, but $target is $installed; to go back, use --archive and --sha256"
    fi
    fetch "$name" 128
    archive=$fetched/$name
    actual=$(sha256 "$archive")
    [ "$actual" = "$sum" ] || fail "$shown/$name does not match SHA256SUMS: its SHA-256 is $actual; nothing was changed"
}

# fetch NAME MIB: a file of the release, into $fetched. Nothing is known of who serves it before the signature is checked: what
# does not end does not fill the disk, and what does not come is not waited for.
fetch() {
    case $from in
    https://* | http://*)
        command -v curl >/dev/null || command -v wget >/dev/null || fail "curl and wget are missing: install one, or give --from a directory"
        ;;
    esac
    said=$(
        # In blocks of 512 bytes; a limit that is lower already stays.
        ulimit -f "$(($2 * 2048))" 2>/dev/null || :
        copy "$1" 2>&1
    ) || fail "$shown/$1 cannot be read${said:+: $(printf '%s\n' "$said" | tail -n 1)}"
}

copy() {
    case $from in
    https://* | http://*)
        if command -v curl >/dev/null; then
            curl --fail --silent --show-error --location --proto-redir =https --connect-timeout 20 --speed-limit 100 --speed-time 20 \
                --output "$fetched/$1" "${from%/}/$1"
        else
            wget -nv -T 20 -t 2 -O "$fetched/$1" "${from%/}/$1"
        fi
        ;;
    *) cp -- "$from/$1" "$fetched/$1" ;;
    esac
}

# check_signature FILE: that FILE.minisig signs it with $key. It is minisign's format: in base64, the key is "Ed", its id and
# an Ed25519 key; the signature's second line is "ED", the same id and a signature of the file's BLAKE2b; the fourth signs
# that signature and the comment in the third. openssl checks it, since more machines have it than minisign.
check_signature() {
    command -v openssl >/dev/null || fail "openssl is missing, which checks the signature: install openssl"
    openssl pkeyutl -help 2>&1 | grep -q rawin || fail "openssl is older than version 3 and cannot check the signature"
    sed '/^untrusted comment:/d' "$key" | decode "$fetched/key"
    sed -n 2p "$1.minisig" | decode "$fetched/signature"
    sed -n 4p "$1.minisig" | decode "$fetched/whole"
    if [ "$(wc -c <"$fetched/key")" -ne 42 ] || [ "$(head -c 2 "$fetched/key")" != Ed ]; then
        fail "$key is not a public key of minisign"
    fi
    if [ "$(wc -c <"$fetched/signature")" -ne 74 ] || [ "$(head -c 2 "$fetched/signature")" != ED ]; then
        fail "$shown/SHA256SUMS.minisig is not a signature of minisign"
    fi
    [ "$(key_id "$fetched/key")" = "$(key_id "$fetched/signature")" ] ||
        fail "$shown/SHA256SUMS is signed with another key than $key; nothing was changed"
    # What X.509 puts before the 32 bytes of an Ed25519 key.
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000' && tail -c 32 "$fetched/key"; } >"$fetched/key.der"
    openssl dgst -blake2b512 -binary "$1" >"$fetched/digest" 2>/dev/null || fail "openssl has no BLAKE2b here and cannot check the signature"
    tail -c 64 "$fetched/signature" >"$fetched/signature.raw"
    { cat "$fetched/signature.raw" && sed -n '3s/^trusted comment: //p' "$1.minisig" | tr -d '\n'; } >"$fetched/signed"
    if ! is_signed "$fetched/digest" "$fetched/signature.raw" || ! is_signed "$fetched/signed" "$fetched/whole"; then
        fail "$shown/SHA256SUMS does not match its signature; nothing was changed"
    fi
}

# decode FILE: writes what base64 on standard input says, or nothing.
decode() {
    openssl base64 -d >"$1" 2>/dev/null || :
}

key_id() {
    head -c 10 "$1" | tail -c 8 | od -An -tx1
}

# is_signed FILE SIGNATURE
is_signed() {
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$fetched/key.der" -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1
}

# choose_newest FILE: sets newest, and the name and sum of its archive.
choose_newest() {
    newest=''
    while read -r sum_of name_of; do
        name_of=${name_of#\*}
        version=${name_of#"$PROGRAM-"}
        version=${version%"-$machine-unknown-linux-musl.tar.gz"}
        [ "$name_of" = "$PROGRAM-$version-$machine-unknown-linux-musl.tar.gz" ] || continue
        case $version in [!0-9]* | *[!0-9A-Za-z.+-]*) continue ;; esac
        [ "$version" != "$newest" ] || fail "$shown/SHA256SUMS names $name_of twice"
        [ -z "$newest" ] || is_older "$newest" "$version" || continue
        newest=$version sum=$sum_of name=$name_of
    done <"$1"
    [ -n "$newest" ] || fail "$shown has no archive for $machine"
}

# is_older A B: by semantic versioning, where a pre-release is older than its release.
is_older() {
    LC_ALL=C awk -v a="$1" -v b="$2" 'BEGIN {
        sub(/\+.*/, "", a); sub(/\+.*/, "", b)
        # What no identifier of a pre-release comes after.
        if (a !~ /-/) a = a "-~"
        if (b !~ /-/) b = b "-~"
        n = split(a, x, /[.-]/); m = split(b, y, /[.-]/)
        for (i = 1; i <= n && i <= m; i++) {
            if (x[i] == y[i]) continue
            if (x[i] ~ /^[0-9]+$/ && y[i] ~ /^[0-9]+$/) exit !(x[i] + 0 < y[i] + 0)
            exit !(x[i] "" < y[i] "")
        }
        exit !(n < m)
    }'
}

unpack() {
    [ -f "$archive" ] || fail "there is no file $archive"
    [ -r "$archive" ] || fail "$archive cannot be read"
    sum=$(printf %s "$sum" | tr A-F a-f)
    case $sum in *[!0-9a-f]*) fail "--sha256 is not a SHA-256: 64 hexadecimal digits" ;; esac
    [ ${#sum} = 64 ] || fail "--sha256 is not a SHA-256: 64 hexadecimal digits"
    # What was checked is what is unpacked, even if somebody changes the file meanwhile.
    cp -- "$archive" "$aside/archive" 2>/dev/null || fail "$archive cannot be copied to $bin; nothing was changed"
    actual=$(sha256 "$aside/archive")
    [ "$actual" = "$sum" ] || fail "$archive is not the archive you meant: its SHA-256 is $actual; nothing was unpacked"
    member=$(find_member)
    # Into one file of ours: no name, link or mode of the archive reaches the file system.
    tar -xzOf "$aside/archive" "$member" >"$aside/$PROGRAM" 2>/dev/null || fail "the program cannot be written to $bin; nothing was changed"
    rm -f "$aside/archive"
}

sha256() {
    # Not in a pipe, where failing would end only that part of it.
    if command -v sha256sum >/dev/null; then
        digest=$(sha256sum <"$1")
    elif command -v shasum >/dev/null; then
        digest=$(shasum -a 256 <"$1")
    else
        fail "there is no sha256sum to check the archive with: install coreutils"
    fi
    echo "${digest%% *}"
}

# The program's name in the archive, which may hold the texts and completions of a release and nothing else, perhaps in
# one directory.
find_member() {
    names=$(tar -tzf "$aside/archive" 2>/dev/null) || fail "$archive is no .tar.gz"
    found=''
    while IFS= read -r name; do
        short=${name#./}
        case $short in
        "$PROGRAM"-*/*)
            top=${short%%/*}
            case $top in *[!A-Za-z0-9._-]*) fail "$archive holds something unexpected: $name" ;; esac
            short=${short#*/}
            ;;
        esac
        case $short in
        "$PROGRAM")
            [ -z "$found" ] || fail "$archive holds $PROGRAM twice"
            found=$name
            ;;
        '' | LICENSE | README.md | CHANGELOG.md | SECURITY.md) ;;
        completions/* | container/* | docs/* | kubernetes/* | man/* | samples/* | systemd/*)
            case ${short#*/} in .* | */*) fail "$archive holds something unexpected: $name" ;; esac
            ;;
        *) fail "$archive holds something unexpected: $name" ;;
        esac
    done <<END
$names
END
    [ -n "$found" ] || fail "$archive does not hold $PROGRAM"
    # Every line begins with the kind of the member: only plain files and directories belong here.
    if tar -tvzf "$aside/archive" | grep -q '^[^-d]'; then
        fail "$archive holds a link or a special file"
    fi
    echo "$found"
}

put_in_place() {
    chmod 755 "$aside/$PROGRAM"
    version=$("$aside/$PROGRAM" version 2>/dev/null) || fail "the program does not run on this machine; nothing was changed"
    case $version in "$PROGRAM "*) ;; *) fail "that is not $PROGRAM; nothing was changed" ;; esac
    if cmp -s "$aside/$PROGRAM" "$target" && [ -x "$target" ] && [ ! -L "$target" ]; then
        note "$target is there already: $version"
        return
    fi
    # Not every sync takes a file; without it, only a power cut within seconds could tell.
    sync "$aside/$PROGRAM" 2>/dev/null || :
    mv -f "$aside/$PROGRAM" "$target"
    note "Installed $target: $version"
}

# What the program itself prints, where manuals and shells look below a prefix; a program without them is good all the same.
put_texts() {
    texts | while read -r below command; do
        file=$prefix/$below
        # shellcheck disable=SC2086 # a command and its argument
        "$target" $command >"$aside/text" 2>/dev/null || continue
        if cmp -s "$aside/text" "$file"; then continue; fi
        if mkdir -p "${file%/*}" 2>/dev/null && chmod 644 "$aside/text" && mv -f "$aside/text" "$file" 2>/dev/null; then
            note "Installed $file"
        else
            note "$file cannot be written; the program works without it"
        fi
    done
}

# Each file below the prefix, and the command whose output it is.
texts() {
    for name in "" $COMMANDS; do
        echo "share/man/man1/$PROGRAM${name:+-$name}.1 man $name"
    done
    cat <<END
share/bash-completion/completions/$PROGRAM completions bash
share/zsh/site-functions/_$PROGRAM completions zsh
share/fish/vendor_completions.d/$PROGRAM.fish completions fish
END
}

run_demo() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/$PROGRAM-demo.XXXXXX")
    : >"$scratch/config.toml"
    host=registry.example.com
    note "What it does, shown in $scratch, which is removed afterwards"
    cat <<END

Docker hands it a password to keep (docker login):
  $ echo '{"ServerURL":"$host","Username":"demo","Secret":"correct horse"}' | $PROGRAM store
END
    echo "{\"ServerURL\":\"$host\",\"Username\":\"demo\",\"Secret\":\"correct horse\"}" | helper store
    sealed=$(find "$scratch/.local/share/beta9/credentials" -name '*.sealed')
    [ -n "$sealed" ] || fail "the demo failed: nothing was stored"
    ! grep -q 'correct horse' "$sealed" || fail "the demo failed: the password is on disk in clear"
    cat <<END
  (kept in a sealed file that does not hold the password in clear)

Docker asks for it again (docker pull, docker push):
  $ echo $host | $PROGRAM get
END
    answer=$(echo "$host" | helper get)
    echo "  $answer"
    [ "$answer" = "{\"ServerURL\":\"$host\",\"Username\":\"demo\",\"Secret\":\"correct horse\"}" ] || fail "the demo failed: that is not what was stored"
    cat <<END

You ask what would answer, and why; this shows no secret:
  $ $PROGRAM explain $host/team/app:1.2
END
    helper explain "$host/team/app:1.2" | sed 's/^/  /'
    cat <<END

Docker forgets it (docker logout), and then there is nothing: docker goes on without a login.
  $ echo $host | $PROGRAM erase
  $ echo $host | $PROGRAM get
END
    echo "$host" | helper erase
    if answer=$(echo "$host" | helper get); then
        fail "the demo failed: the credential is still there"
    fi
    echo "  $answer"
    echo
    [ "$answer" = 'credentials not found in native keychain' ] || fail "the demo failed: that is not the answer docker expects"
}

# The installed program, in an environment of its own: nothing of the person who runs the demo is read or changed.
helper() {
    env -i PATH="$PATH" HOME="$scratch" BETA9_CREDENTIAL_CONFIG="$scratch/config.toml" "$target" "$@"
}

how_to_go_on() {
    cat <<END
Wire docker:                   $PROGRAM configure docker --hosts ghcr.io,docker.io
Wire podman, buildah, skopeo:  $PROGRAM configure podman --hosts ghcr.io,docker.io
Then log in once (docker login ghcr.io), and pull. docs/laptop.md has the rest.
END
    case ":$PATH:" in
    *":$bin:"*) ;;
    *) echo "Warning: $bin is not on your PATH, so docker will not find the program. Add it: export PATH=\"$bin:\$PATH\"" ;;
    esac
}

uninstall() {
    sweep
    if [ -L "$target" ] || { [ -e "$target" ] && [ ! -f "$target" ]; }; then
        fail "$target is not a file that install.sh has made; it is left alone"
    elif [ -e "$target" ]; then
        unwire
        rm -f "$target" || fail "$target cannot be removed: run this as its owner"
        note "Removed $target"
    else
        note "There is no $target: nothing to remove"
    fi
    texts | while read -r below command; do
        file=$prefix/$below
        if [ -L "$file" ] || [ ! -f "$file" ]; then continue; fi
        if rm -f "$file"; then note "Removed $file"; else note "$file cannot be removed"; fi
    done
    data=${XDG_DATA_HOME:-${HOME:+$HOME/.local/share}}
    store=${BETA9_STORE_PATH:-${data:+$data/beta9/credentials}}
    [ -z "$store" ] || [ ! -e "$store" ] ||
        note "Stored credentials are left alone: $store and their key $store.key; remove both to forget them for good"
}

# Every pull of a client that names a program that is gone fails, and kubelet does not start.
unwire() {
    # A program that does not run here, and one older than this, cannot say who names it.
    named=$("$target" wired 2>/dev/null) || return 0
    if [ -n "$undo" ] && [ -n "$named" ]; then
        echo "$named" | while IFS= read -r line; do
            note "${line#*	}"
            PATH=$bin:$PATH sh -c "${line#*	}" </dev/null || :
        done
        named=$("$target" wired)
    fi
    [ -n "$named" ] || return 0
    echo "$named" | while IFS= read -r line; do
        echo "${line%%	*} names $PROGRAM: ${line#*	}"
    done >&2
    fail "nothing was removed: those clients would fail every pull; run the commands above first, or add --undo"
}

main "$@"
