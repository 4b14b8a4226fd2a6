#!/bin/sh
# Installs docker-credential-beta9: builds it here, or takes it from an archive. See --help.
set -eu

PROGRAM=docker-credential-beta9
# Each has a manual page.
COMMANDS="check completions configure doctor explain export import man migrate mirror provision prune publish refresh resolve status with"

usage() {
    cat <<END
Usage: ./install.sh [--prefix DIR] [--demo]                             build with cargo, and install
       ./install.sh --archive FILE --sha256 SUM [--prefix DIR] [--demo]  install from a release archive
       ./install.sh --uninstall [--undo] [--prefix DIR]                 remove the program again

  --prefix DIR    install DIR/bin/$PROGRAM, and the manual page and completions in DIR/share
                  (default: \$PREFIX if it is set, else /usr/local for root, \$HOME/.local for others)
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
    prefix='' archive='' sum='' demo='' uninstall='' undo='' aside='' scratch=''
    while [ $# -gt 0 ]; do
        case $1 in
        --prefix | --archive | --sha256)
            [ -n "${2:-}" ] || fail "$1 needs a value; see ./install.sh --help"
            case $1 in --prefix) prefix=$2 ;; --archive) archive=$2 ;; *) sum=$2 ;; esac
            shift
            ;;
        --prefix=?*) prefix=${1#*=} ;;
        --archive=?*) archive=${1#*=} ;;
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
    [ -z "$uninstall" ] || [ -z "$archive$demo" ] || fail "--uninstall goes with --prefix and --undo only"
    [ -z "$undo" ] || [ -n "$uninstall" ] || fail "--undo goes with --uninstall"

    # The program is for everybody who may enter the prefix, whatever the umask of who installs it.
    umask 022
    trap clean EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    choose_prefix
    if [ -n "$uninstall" ]; then
        uninstall
        return
    fi
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
    here=$(cd "$(dirname "$0")" && pwd)
    [ -f "$here/Cargo.lock" ] ||
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
    static=$(static_target)
    note "Building${static:+ for $static}"
    (cd "$here" && cargo build --release --locked --target-dir "$out" ${static:+--target "$static"})
    cp "$out/${static:+$static/}release/$PROGRAM" "$aside/$PROGRAM"
}

# A static program starts faster and runs on any Linux, but needs the target, and a C compiler for it, to be there; and on
# x86_64 the linker that rustup brings.
static_target() {
    musl=${host%-gnu}-musl
    rustlib=$(rustc --print sysroot)/lib/rustlib
    [ "$musl" != "$host-musl" ] && [ -d "$rustlib/$musl" ] || return 0
    [ "${musl%%-*}" != x86_64 ] || [ -x "$rustlib/$host/bin/rust-lld" ] || return 0
    { command -v musl-gcc || command -v "${musl%%-*}-linux-musl-gcc"; } >/dev/null || return 0
    echo "$musl"
}

unpack() {
    [ -f "$archive" ] || fail "there is no file $archive"
    [ -r "$archive" ] || fail "$archive cannot be read"
    sum=$(printf %s "$sum" | tr A-F a-f)
    case $sum in *[!0-9a-f]*) fail "--sha256 is not a SHA-256: 64 hexadecimal digits" ;; esac
    [ ${#sum} = 64 ] || fail "--sha256 is not a SHA-256: 64 hexadecimal digits"
    # What was checked is what is unpacked, even if somebody changes the file meanwhile.
    cp "$archive" "$aside/archive"
    actual=$(sha256 "$aside/archive")
    [ "$actual" = "$sum" ] || fail "$archive is not the archive you meant: its SHA-256 is $actual; nothing was unpacked"
    member=$(find_member)
    # Into one file of ours: no name, link or mode of the archive reaches the file system.
    tar -xzOf "$aside/archive" "$member" >"$aside/$PROGRAM"
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
        completions/* | container/* | kubernetes/* | man/* | samples/* | systemd/*)
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
Then log in once (docker login ghcr.io), and pull. README.md has the rest.
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
