# shellcheck shell=bash
# Sourced by packaging/release: builds the program so that the same commit gives the same bytes, wherever it is built.

# build_program: builds $TARGET, and sets PROGRAM to the result. Needs REPO, TARGET and SOURCE_DATE_EPOCH.
build_program() {
    local flags=() prefix maps=() out=${CARGO_TARGET_DIR:-$REPO/target/release-build} c_flags
    (cd "$REPO" && cargo fetch --locked --target "$TARGET")
    # Where the sources lie on this machine is in assertions and panics, of Rust and of C.
    while IFS= read -r prefix; do
        flags+=("--remap-path-prefix=$prefix")
        maps+=("-ffile-prefix-map=$prefix")
    done < <(
        echo "$out=/target"
        echo "$REPO=/src"
        for prefix in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do echo "${prefix%/}=/crates"; done
    )
    c_flags="CFLAGS_${TARGET//-/_}"
    # By --config and not by RUSTFLAGS, which would put away what .cargo/config.toml says.
    (cd "$REPO" && env "$c_flags=${!c_flags:-} ${maps[*]}" cargo build --release --locked --target "$TARGET" \
        --target-dir "$out" --config "target.$TARGET.rustflags=[$(printf '"%s",' "${flags[@]}")]")
    # shellcheck disable=SC2034 # who sources this takes it
    PROGRAM=$out/$TARGET/release/$NAME
}
