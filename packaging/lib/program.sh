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
    mkdir -p "$out/$TARGET"
    printf '#!/usr/bin/env bash\nexec "$@"%s\n' "$rust_maps" >"$out/rustc-wrapper"
    # rustc knows by the name what kind of linker it is.
    printf '#!/usr/bin/env bash\nexec %q %q %q "$@"\n' "$HERE/order" "$(linker)" "qemu-$ARCH-static" >"$out/$TARGET/rust-lld"
    chmod 755 "$out/rustc-wrapper" "$out/$TARGET/rust-lld"
    # How the C parts are made: .cargo/config.toml says why.
    c_flags="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 ${c_maps[*]}"
    (cd "$REPO" && env "CC_$variable=$ARCH-linux-gnu-gcc" "CFLAGS_$variable=$c_flags" "CARGO_TARGET_${variable^^}_LINKER=$out/$TARGET/rust-lld" RUSTC_WRAPPER="$out/rustc-wrapper" \
        cargo build --release --locked --target "$TARGET" --target-dir "$out")
    # shellcheck disable=SC2034 # who sources this takes it
    PROGRAM=$out/$TARGET/release/$NAME
}

# linker: the one that comes with rustc.
linker() {
    echo "$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld"
}

# find_compilers: what $TARGET is compiled, linked and put in order with.
find_compilers() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$TARGET" ] || fail "Rust cannot build for $TARGET: run rustup target add $TARGET"
    command -v "$ARCH-linux-gnu-gcc" >/dev/null || fail "there is no $ARCH-linux-gnu-gcc: install the package gcc-${ARCH/_/-}-linux-gnu"
    [ -x "$(linker)" ] || fail "there is no $(linker): install Rust with rustup (https://rustup.rs)"
    command -v "qemu-$ARCH-static" >/dev/null || fail "there is no qemu-$ARCH-static: install the package qemu-user-static"
    command -v python3 >/dev/null || fail "there is no python3: install the package python3"
    command -v openssl >/dev/null || fail "there is no openssl: install the package openssl"
}
