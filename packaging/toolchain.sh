# shellcheck shell=sh
# Sourced by what calls cargo.

# find_toolchain: cargo runs, also where HOME is not the one that rustup was installed under. rustup's cargo looks for
# its toolchains below HOME; the directory it stands in itself tells where they really are. Fails when cargo cannot run.
find_toolchain() {
    cargo --version >/dev/null 2>&1 && return
    toolchain_cargo=$(command -v cargo) || return
    toolchain_cargo=${toolchain_cargo%/bin/cargo}
    for toolchain_rustup in "${toolchain_cargo%/*}/.rustup" "${toolchain_cargo%/*}/rustup"; do
        if [ -n "${RUSTUP_HOME:-}" ] || [ ! -d "$toolchain_rustup/toolchains" ]; then continue; fi
        RUSTUP_HOME=$toolchain_rustup
        export RUSTUP_HOME
        # What cargo has fetched already need not be fetched again.
        [ -n "${CARGO_HOME:-}" ] || [ ! -w "$toolchain_cargo" ] || { CARGO_HOME=$toolchain_cargo && export CARGO_HOME; }
    done
    cargo --version >/dev/null 2>&1
}
