# shellcheck shell=bash
# Sourced by packaging/release: builds the program so that the same commit gives the same bytes, wherever it is built.

# build_program: builds $TARGET, and sets PROGRAM to the result. Needs REPO, TARGET and SOURCE_DATE_EPOCH.
build_program() {
    local out=${CARGO_TARGET_DIR:-$REPO/target/release-build} prefix rust_maps='' c_maps=() c_flags variable=${TARGET//-/_}
    (cd "$REPO" && cargo fetch --locked --target "$TARGET")
    # Where the sources lie on this machine is in assertions and panics, of Rust and of C.
    while IFS= read -r prefix; do
        rust_maps+=" $(printf '%q' "--remap-path-prefix=$prefix")"
        c_maps+=("-ffile-prefix-map=$prefix")
    done < <(
        echo "$out=/target"
        echo "$REPO=/src"
        for prefix in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do echo "${prefix%/}=/crates"; done
    )
    # By a wrapper and not as rustflags: cargo hashes those, with this machine's paths in them, into the names of the
    # directories that it builds in, and a build script's directory is named in what it generates.
    mkdir -p "$out"
    printf '#!/usr/bin/env bash\nexec "$@"%s\n' "$rust_maps" >"$out/rustc-wrapper"
    chmod 755 "$out/rustc-wrapper"
    # How the C parts are made: .cargo/config.toml says why. The order of functions is that of runs below one directory.
    c_flags="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 ${c_maps[*]}"
    (cd "$REPO" && env "CC_$variable=$ARCH-linux-gnu-gcc" "CFLAGS_$variable=$c_flags" RUSTC_WRAPPER="$out/rustc-wrapper" \
        ORDER_EMULATOR="$(command -v "qemu-$ARCH-static")" TMPDIR=/tmp \
        cargo build --release --locked --target "$TARGET" --target-dir "$out")
    # shellcheck disable=SC2034 # who sources this takes it
    PROGRAM=$out/$TARGET/release/$NAME
}

# find_compilers: what $TARGET is compiled, linked and put in order with.
find_compilers() {
    local linker
    [ -d "$(rustc --print sysroot)/lib/rustlib/$TARGET" ] || fail "Rust cannot build for $TARGET: run rustup target add $TARGET"
    command -v "$ARCH-linux-gnu-gcc" >/dev/null || fail "there is no $ARCH-linux-gnu-gcc: install the package gcc-${ARCH/_/-}-linux-gnu"
    linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
    [ -x "$linker" ] || fail "there is no $linker: install Rust with rustup (https://rustup.rs)"
    command -v "qemu-$ARCH-static" >/dev/null || fail "there is no qemu-$ARCH-static: install the package qemu-user-static"
}
