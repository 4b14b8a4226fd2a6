# shellcheck shell=bash
# Sourced by packaging/release: the architectures, by the names that each format has for them.

# set_arch NAME: sets DEB_ARCH (which is Go's and OCI's name too), ARCH (the kernel's), TARGET (Rust's) and EMULATOR.
# shellcheck disable=SC2034 # who sources this takes them
set_arch() {
    DEB_ARCH=$1
    case $1 in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64 ;; esac
    TARGET=$ARCH-unknown-linux-musl
    EMULATOR=("qemu-$ARCH-static")
    ! runs_here || EMULATOR=()
}

runs_here() {
    [ "$ARCH" = "$(uname -m)" ]
}

# named_arches NAME: what an option or the kernel calls one or all of them.
named_arches() {
    case $1 in
    amd64 | x86_64) echo amd64 ;;
    arm64 | aarch64) echo arm64 ;;
    all) echo amd64 arm64 ;;
    *) fail "there is no architecture $1: take amd64, arm64 or all" ;;
    esac
}

# arch_of FILE: by the machine in its ELF header.
arch_of() {
    case $(od -An -tx1 -j 18 -N 2 "$1") in
    ' 3e 00') echo amd64 ;;
    ' b7 00') echo arm64 ;;
    *) fail "$1 is a program of neither amd64 nor arm64" ;;
    esac
}
