# shellcheck shell=bash
# Sourced by packaging/release: builds the program so that the same commit gives the same bytes, wherever it is built.

# build_program: builds $TARGET, and sets PROGRAM to the result. Needs REPO, TARGET and SOURCE_DATE_EPOCH.
build_program() {
    local out=${CARGO_TARGET_DIR:-$REPO/target/release-build} prefix rust_maps='' c_maps=() c_flags
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
    c_flags="CFLAGS_${TARGET//-/_}"
    (cd "$REPO" && env "$c_flags=${!c_flags:-} ${c_maps[*]}" RUSTC_WRAPPER="$out/rustc-wrapper" \
        cargo build --release --locked --target "$TARGET" --target-dir "$out")
    # shellcheck disable=SC2034 # who sources this takes it
    PROGRAM=$out/$TARGET/release/$NAME
}
