# shellcheck shell=bash
# Sourced by packaging/release: what the program is made of, in CycloneDX.

# make_sbom: of what is linked into the program; the tool takes its times from SOURCE_DATE_EPOCH.
make_sbom() {
    local file=$NAME-$VERSION-$TARGET.cdx.json aside=$WORK/sbom-$DEB_ARCH
    # Aside, since the tool writes beside the manifest.
    mkdir "$aside"
    cp -r "$REPO"/{Cargo.toml,Cargo.lock,README.md,src,benches} "$aside/"
    (cd "$aside" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$TARGET" --no-build-deps \
        --override-filename sbom)
    # The tool names the package by the directory it is in.
    sed "s|path+file://$aside#|pkg:cargo/|g" "$aside/sbom.json" >"$OUT/$file"
    ! grep -q "$WORK" "$OUT/$file" || fail "the SBOM names this machine's directories"
    made "$file"
}
