# shellcheck shell=bash
# Sourced by packaging/release: the container image, as an OCI layout in a tar. No builder makes it, so that it has the same
# bytes each time: one layer, with what the target `program` of container/Containerfile has.

# make_image: podman, skopeo, buildah, ctr and docker load it.
make_image() {
    local root=$WORK/image-$DEB_ARCH layout=$WORK/layout-$DEB_ARCH created layer diff config manifest variant=''
    local file=$NAME-$VERSION-$DEB_ARCH.oci.tar
    created=$(date -d "@$SOURCE_DATE_EPOCH" -u +%FT%TZ)
    [ "$DEB_ARCH" != arm64 ] || variant='"variant":"v8",'
    install -D -m 755 "$PROGRAM" "$root/usr/bin/$NAME"
    install -m 644 "$TEXTS/LICENSE" "$root/"
    mkdir -p "$layout/blobs/sha256"
    pack "$root" LICENSE usr >"$WORK/layer.tar"
    diff=$(sha256sum <"$WORK/layer.tar")
    layer=$(gzip -9n <"$WORK/layer.tar" | blob "$layout" application/vnd.oci.image.layer.v1.tar+gzip)
    config=$(printf '{"created":"%s","architecture":"%s",%s"os":"linux","config":{"User":"65534:65534","Env":["PATH=/usr/bin"],"Entrypoint":["/usr/bin/%s"],"Labels":{"org.opencontainers.image.title":"%s","org.opencontainers.image.version":"%s","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s"}]}' \
        "$created" "$DEB_ARCH" "$variant" "$NAME" "$NAME" "$VERSION" "${diff%% *}" "$created" |
        blob "$layout" application/vnd.oci.image.config.v1+json)
    manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' "$config" "$layer" |
        blob "$layout" application/vnd.oci.image.manifest.v1+json)
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,"platform":{"architecture":"%s",%s"os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
        "${manifest%\}}" "$DEB_ARCH" "$variant" "$VERSION" >"$layout/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    pack "$layout" blobs index.json oci-layout >"$OUT/$file"
    made "$file"
}

# blob LAYOUT TYPE: keeps standard input in the layout, and prints its descriptor.
blob() {
    local digest
    cat >"$WORK/blob"
    digest=$(sha256sum <"$WORK/blob")
    digest=${digest%% *}
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$(stat -c %s "$WORK/blob")"
    mv "$WORK/blob" "$1/blobs/sha256/$digest"
}
