# shellcheck shell=bash
# Sourced by packaging/release: the packages, each by its own format's tool.

# make_deb: for Debian, Ubuntu and their like.
make_deb() {
    local root=$WORK/deb-$DEB_ARCH doc file deb_version maintainer
    doc=$root/usr/share/doc/$NAME
    make_tree "$root" vendor-completions
    cp "$HERE/deb/copyright" "$doc/"
    install -D -m 644 "$HERE/deb/lintian-overrides" "$root/usr/share/lintian/overrides/$NAME"
    gzip -9n <"$TEXTS/CHANGELOG.md" >"$doc/changelog.gz"
    # A `-` would begin Debian's own revision; `~` sorts before the release, as a pre-release should.
    deb_version=${VERSION/-/\~}-1
    maintainer=$(sed -n 's/^Maintainer: //p' "$HERE/deb/control")
    printf '%s (%s) unstable; urgency=medium\n\n  * Version %s; changelog.gz says what is new.\n\n -- %s  %s\n' "$NAME" "$deb_version" \
        "$VERSION" "$maintainer" "$(date -d "@$SOURCE_DATE_EPOCH" -R)" | gzip -9n >"$doc/changelog.Debian.gz"
    mkdir "$root/DEBIAN"
    sed "s/@VERSION@/$deb_version/; s/@ARCH@/$DEB_ARCH/; s/@SIZE@/$(du -sk --apparent-size "$root/usr" | cut -f 1)/" \
        "$HERE/deb/control" >"$root/DEBIAN/control"
    install -m 755 -t "$root/DEBIAN" "$HERE"/deb/{postinst,prerm,postrm}
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    file=${NAME}_${deb_version}_$DEB_ARCH.deb
    # One thread: xz cuts its input differently for several.
    dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "$OUT/$file" >"$WORK/deb.log" || { cat "$WORK/deb.log"; return 1; }
    made "$file"
}

# make_rpm: for Fedora, RHEL, SUSE and their like.
make_rpm() {
    local root=$WORK/rpm-$DEB_ARCH rpm_version=${VERSION/-/\~}
    make_tree "$root/tree" site-functions
    install -D -m 644 -t "$root/tree/usr/share/licenses/$NAME" "$TEXTS/LICENSE"
    install -m 644 -t "$root/tree/usr/share/doc/$NAME" "$TEXTS/CHANGELOG.md"
    find "$root/tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    rpmbuild -bb --quiet --target "$ARCH" \
        --define "_topdir $root/top" --define "tree $root/tree" --define "release_version $rpm_version" \
        --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
        --define "clamp_mtime_to_source_date_epoch 1" --define "source_date_epoch_from_changelog 0" \
        --define "_binary_payload w9.xzdio" "$HERE/rpm/$NAME.spec" >"$WORK/rpm.log" 2>&1 || { cat "$WORK/rpm.log"; return 1; }
    cp "$root/top/RPMS/$ARCH/$NAME-$rpm_version-1.$ARCH.rpm" "$OUT/"
    made "$NAME-$rpm_version-1.$ARCH.rpm"
}
