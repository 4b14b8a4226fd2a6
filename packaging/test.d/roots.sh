# shellcheck shell=bash
# Sourced by packaging/test: the packages in a root of their own, before, in between and after.

test_packages() {
    if [ "$(id -u)" != 0 ]; then
        skip "the packages are installed, run and removed" "only root can change its root directory"
        return
    fi
    claim "the deb installs in a clean root, runs, and its removal and purge leave nothing" in_root deb
    claim "the rpm installs in a clean root, runs, and its removal leaves nothing" in_root rpm
    claim "the deb is not removed while a file of docker's, podman's, kubelet's or k3s's names it, and is upgraded all the same" \
        stays_while_wired deb
    claim "the rpm is not removed while a file of docker's, podman's, kubelet's or k3s's names it, and is upgraded all the same" \
        stays_while_wired rpm
    claim "credentials and settings are there after a purge, and a newer deb keeps an enabled timer" keeps_what_is_the_users
    claim "an older deb is upgraded in place, with its program, its credentials and its timer, and put back by its file" upgrades_in_place deb
    claim "an older rpm is upgraded in place, with its program, its credentials and its timer, and put back by its file" upgrades_in_place rpm
    claim "in a clean root without Rust, install.sh --from installs within a minute, a credential is stored and answered, and a changed archive is refused" \
        installs_without_rust
    with_tool lintian "lintian finds no error in the deb" deb_is_lintian_clean
}

# A root with what maintainer scripts need; or a copy of CLEAN_ROOT, made by debootstrap.
make_root() {
    local root=$1 kind=$2
    mkdir -p "$root"
    if [ -n "${CLEAN_ROOT:-}" ]; then
        cp -a "$CLEAN_ROOT/." "$root/"
    else
        mkdir -p "$root"/{dev,etc,tmp,root,usr/bin,var/tmp,var/lib/dpkg/{info,updates,triggers},var/lib/rpm}
        ln -s usr/bin "$root/bin"
        # Not a device, which not every root may make.
        : >"$root/dev/null"
        touch "$root/var/lib/dpkg/"{status,available}
        put_program "$root" sh true rm mkdir ls test cat
        ! command -v systemctl >/dev/null || put_program "$root" systemctl
        echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    fi
    mkdir -p "$root/etc/systemd/system"
    # What every system of that kind has: its package `filesystem` owns them.
    [ "$kind" != rpm ] || mkdir -p "$root"/usr/{lib/systemd/system,share/{doc,licenses,man/man1}}
    rpm --root "$root" --dbpath /var/lib/rpm --initdb
}

# put_program ROOT NAME…: with the libraries that it is linked with.
put_program() {
    local root=$1 program path library
    shift
    for program in "$@"; do
        path=$(command -v "$program") && [ -x "$path" ] || path=/usr/bin/$program
        install -D -m 755 "$(realpath "$path")" "$root/usr/bin/$program"
        for library in $(ldd "$path" 2>/dev/null | grep -o '/[^ ]*'); do
            [ -e "$root$library" ] || install -D -m 755 "$(realpath "$library")" "$root$library"
        done
    done
}

# add KIND ROOT [FILE]: installs, or replaces what is there.
add() {
    local file
    file=${3:-$(echo "$DIST"/*."$1")}
    case $1 in
    deb) dpkg_in "$2" --install "$file" ;;
    # The small root has no database that says whose its shell is.
    rpm) rpm --root "$2" --dbpath /var/lib/rpm --upgrade --oldpackage --replacepkgs --nodeps "$file" ;;
    esac
}

take_away() {
    case $1 in
    deb) dpkg_in "$2" --remove "$NAME" && dpkg_in "$2" --purge "$NAME" ;;
    rpm) rpm --root "$2" --dbpath /var/lib/rpm --erase "$NAME" ;;
    esac
}

dpkg_in() {
    local root=$1
    shift
    SYSTEMD_OFFLINE=1 PATH=$PATH:/usr/sbin:/sbin dpkg --root="$root" --force-not-root --log=/dev/null "$@"
}

# Everything but the package managers' own books, with modes, owners and what is in it.
census() {
    (cd "$1" && find . \( -path ./var/lib/dpkg -o -path ./var/lib/rpm -o -path ./dev \) -prune -o -printf '%M %U %G %p %l\n' | sort
        find . \( -path ./var/lib/dpkg -o -path ./var/lib/rpm -o -path ./dev \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
}

in_root() {
    local kind=$1 root=$WORLD/root-$1 answer status=0
    make_root "$root" "$kind"
    census "$root" >"$WORLD/$kind.before"
    add "$kind" "$root"
    cmp "$root/usr/bin/$NAME" "$BETA9_HELPER"
    [ "$(stat -c '%a %u %g' "$root/usr/bin/$NAME")" = '755 0 0' ]
    [ -z "$(find "$root/usr/share/doc/$NAME" "$root/usr/lib/systemd/system" -name '*beta9*' -type f ! -perm 644)" ]

    [ "$(env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/"$NAME" version)" = "$("$BETA9_HELPER" version)" ]
    answer=$(echo ghcr.io | env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/"$NAME" get) || status=$?
    [ "$status" = 1 ] && [ "$answer" = 'credentials not found in native keychain' ]
    zcat "$root/usr/share/man/man1/$NAME.1.gz" | cmp - "$ARCHIVE/man/$NAME.1"
    cmp "$root/usr/share/bash-completion/completions/$NAME" "$ARCHIVE/completions/$NAME.bash"

    # Enabled, as an administrator does, and not cleaned up by hand.
    if command -v systemctl >/dev/null; then
        systemctl --root="$root" enable beta9-credential-refresh.timer beta9-mirror.socket
        [ -L "$root/etc/systemd/system/timers.target.wants/beta9-credential-refresh.timer" ]
        [ -L "$root/etc/systemd/system/sockets.target.wants/beta9-mirror.socket" ]
        # A root without systemctl has nobody who could have enabled it.
        { [ -x "$root/usr/bin/systemctl" ] || [ -x "$root/bin/systemctl" ]; } ||
            systemctl --root="$root" disable beta9-credential-refresh.timer beta9-mirror.socket
    fi
    SYSTEMD_OFFLINE=1 take_away "$kind" "$root"
    # Made by systemctl, and every system with a timer or a socket has them.
    rmdir "$root/etc/systemd/system/"{timers,sockets}.target.wants || :
    census "$root" >"$WORLD/$kind.after"
    diff "$WORLD/$kind.before" "$WORLD/$kind.after"
}

stays_while_wired() {
    local kind=$1 root=$WORLD/root-wired-$1 file output
    make_root "$root" "$kind"
    echo 'octo:x:1000:1000::/home/octo:/bin/sh' >>"$root/etc/passwd"
    add "$kind" "$root"
    for file in root/.docker/config.json home/octo/.docker/config.json etc/containers/registries.conf \
        etc/kubernetes/credential-provider-config.yaml var/lib/rancher/credentialprovider/config.yaml; do
        mkdir -p "$root/${file%/*}"
        case $file in
        *.json) echo '{"credsStore":"beta9"}' ;;
        *.conf) echo 'credential-helpers = ["containers-auth.json", "beta9"]' ;;
        *) printf 'providers:\n  - name: %s\n' "$NAME" ;;
        esac >"$root/$file"
        if output=$(take_away "$kind" "$root" 2>&1); then return 1; fi
        grep -P "^/$file\t.*$NAME configure .*--undo\$" <<<"$output"
        [ -x "$root/usr/bin/$NAME" ]
        add "$kind" "$root"
        [ -x "$root/usr/bin/$NAME" ]
        rm "$root/$file"
    done
    take_away "$kind" "$root"
    [ ! -e "$root/usr/bin/$NAME" ]
}

keeps_what_is_the_users() {
    local root=$WORLD/root-users wants=etc/systemd/system/timers.target.wants/beta9-credential-refresh.timer
    make_root "$root" deb
    add deb "$root"
    echo '{"ServerURL":"ghcr.io","Username":"octo","Secret":"s"}' | env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/"$NAME" store
    mkdir -p "$root/etc/beta9"
    echo 'workspace = "default"' >"$root/etc/beta9/credential-helper.toml"
    if command -v systemctl >/dev/null; then
        systemctl --root="$root" enable beta9-credential-refresh.timer
        add deb "$root"
        [ -L "$root/$wants" ]
    fi
    take_away deb "$root"
    [ ! -e "$root/usr/bin/$NAME" ]
    [ -s "$root/etc/beta9/credential-helper.toml" ]
    install -D -m 755 "$BETA9_HELPER" "$root/usr/bin/again"
    echo ghcr.io | env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/again get | grep '"Secret":"s"'
}

# The release of before, in DIR and DIR.deb or DIR.rpm: another version, and a program with other bytes that says what this one says.
older_deb() {
    dpkg-deb -R "$DIST"/*.deb "$1"
    sed -i 's/^Version: .*/Version: 0.0.1-1/' "$1/DEBIAN/control"
    echo older >>"$1/usr/bin/$NAME"
    (cd "$1" && find usr -type f -print0 | xargs -0 md5sum) >"$1/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Znone --build "$1" "$1.deb"
}

older_rpm() {
    mkdir "$1"
    rpm2archive - <"$(echo "$DIST"/*.rpm)" | tar -C "$1" -xzf -
    echo older >>"$1/usr/bin/$NAME"
    rpmbuild -bb --quiet --define "_topdir $1.top" --define "tree $1" --define 'release_version 0.0.1' "$HERE/rpm/$NAME.spec"
    mv "$1.top/RPMS"/*/*.rpm "$1.rpm"
}

version_in() {
    case $1 in
    deb) dpkg-query --admindir "$2/var/lib/dpkg" --show --showformat '${Version}' "$NAME" ;;
    rpm) rpm --root "$2" --dbpath /var/lib/rpm --query --queryformat '%{VERSION}-%{RELEASE}' "$NAME" ;;
    esac
}

upgrades_in_place() {
    local kind=$1 root=$WORLD/root-older-$1 older=$WORLD/older-$1 wants=etc/systemd/system/timers.target.wants/beta9-credential-refresh.timer
    "older_$kind" "$older"
    make_root "$root" "$kind"
    add "$kind" "$root" "$older.$kind"
    cmp "$root/usr/bin/$NAME" "$older/usr/bin/$NAME"
    echo '{"ServerURL":"ghcr.io","Username":"octo","Secret":"s"}' | env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/"$NAME" store
    ! command -v systemctl >/dev/null || systemctl --root="$root" enable beta9-credential-refresh.timer
    mkdir -p "$root/root/.docker"
    echo '{"credsStore":"beta9"}' >"$root/root/.docker/config.json"
    add "$kind" "$root"
    [ "$(version_in "$kind" "$root")" != 0.0.1-1 ]
    cmp "$root/usr/bin/$NAME" "$BETA9_HELPER"
    echo ghcr.io | env -i PATH="$PATH" HOME=/root chroot "$root" /usr/bin/"$NAME" get | grep '"Secret":"s"'
    ! command -v systemctl >/dev/null || [ -L "$root/$wants" ]
    add "$kind" "$root" "$older.$kind"
    cmp "$root/usr/bin/$NAME" "$older/usr/bin/$NAME"
    [ "$(version_in "$kind" "$root")" = 0.0.1-1 ]
}

installs_without_rust() {
    local root=$WORLD/root-bare
    make_root "$root" deb
    put_program "$root" openssl tar gzip sha256sum tr od head tail wc sed awk grep cmp chmod mv cp mktemp uname dirname id sync find env
    cp -r "$DIST" "$root/release"
    cp "$WORLD/key.pub" "$root/"
    within() {
        timeout 60 chroot "$root" /usr/bin/env -i PATH=/usr/bin:/usr/local/bin HOME=/root /usr/bin/sh -c "$1"
    }
    within 'command -v openssl && ! command -v cargo && ! command -v rustc && ! command -v cc'
    within "/release/install.sh --from /release --key /key.pub &&
        echo '{\"ServerURL\":\"ghcr.io\",\"Username\":\"octo\",\"Secret\":\"s\"}' | $NAME store && echo ghcr.io | $NAME get" | tail -n 1 |
        grep -Fx '{"ServerURL":"ghcr.io","Username":"octo","Secret":"s"}'
    cmp "$root/usr/local/bin/$NAME" "$BETA9_HELPER"
    echo evil >>"$(echo "$root/release/"*.tar.gz)"
    if within '/release/install.sh --from /release --key /key.pub --prefix /opt/new' 2>"$WORLD/said"; then return 1; fi
    grep 'does not match SHA256SUMS' "$WORLD/said"
    [ ! -e "$root/opt/new" ]
}

deb_is_lintian_clean() {
    # A static program looks to it like a library that lacks its own.
    lintian --allow-root --fail-on error "$DIST"/*.deb
}
