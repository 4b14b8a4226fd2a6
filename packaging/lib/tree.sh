# shellcheck shell=bash
# Sourced by packaging/release: the texts that come with the program, and the archive.

# make_texts: $TEXTS holds what every form of the release carries beside the program.
make_texts() {
    TEXTS=$WORK/texts
    mkdir -p "$TEXTS"/{man,completions,samples}
    local commands page
    # A page has no date of its own: it is the release's. install.sh has the list, which a test compares with the program.
    commands=$(sed -n 's/^COMMANDS="\(.*\)"$/\1/p' "$REPO/install.sh")
    for page in "" $commands; do
        "${EMULATOR[@]}" "$PROGRAM" man ${page:+"$page"} |
            sed "1s/ 1 \"\" / 1 \"$(date -d "@$SOURCE_DATE_EPOCH" +%F)\" /" >"$TEXTS/man/$NAME${page:+-$page}.1"
    done
    "${EMULATOR[@]}" "$PROGRAM" completions bash >"$TEXTS/completions/$NAME.bash"
    "${EMULATOR[@]}" "$PROGRAM" completions zsh >"$TEXTS/completions/_$NAME"
    "${EMULATOR[@]}" "$PROGRAM" completions fish >"$TEXTS/completions/$NAME.fish"
    cp "$HERE"/samples/* "$TEXTS/samples/"
    cp -r "$HERE"/{systemd,kubernetes,container} "$TEXTS/"
    chmod 755 "$TEXTS/container/node"
    cp "$REPO"/{README.md,CHANGELOG.md,SECURITY.md,LICENSE} "$TEXTS/"
    # The pages of the book, as they are: README.md links to them.
    mkdir "$TEXTS/docs"
    cp "$REPO"/docs/*.{md,svg} "$TEXTS/docs/"
}

# make_archive: one directory in a .tar.gz; install.sh takes it.
make_archive() {
    local top=$NAME-$VERSION-$TARGET
    mkdir -p "$WORK/archive"
    cp -r "$TEXTS" "$WORK/archive/$top"
    install -m 755 "$PROGRAM" "$WORK/archive/$top/$NAME"
    pack "$WORK/archive" "$top" | gzip -9n >"$OUT/$top.tar.gz"
    made "$top.tar.gz"
}

# pack DIR NAME…: what is in DIR by these names, as a tar whose bytes are the same each time.
pack() {
    tar -C "$1" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" \
        -cf - "${@:2}"
}

# make_tree DIR ZSH: what a package installs, below DIR; ZSH is where the distribution's zsh looks for functions of packages.
make_tree() {
    local root=$1 share=$1/usr/share doc=$1/usr/share/doc/$NAME
    install -D -m 755 "$PROGRAM" "$root/usr/bin/$NAME"
    install -D -m 644 -t "$root/usr/lib/systemd/system" "$TEXTS"/systemd/*
    install -D -m 644 -t "$share/man/man1" "$TEXTS"/man/*
    gzip -9n "$share"/man/man1/*
    install -D -m 644 "$TEXTS/completions/$NAME.bash" "$share/bash-completion/completions/$NAME"
    install -D -m 644 -t "$share/zsh/$2" "$TEXTS/completions/_$NAME"
    install -D -m 644 -t "$share/fish/vendor_completions.d" "$TEXTS/completions/$NAME.fish"
    install -D -m 644 -t "$doc" "$TEXTS"/{README,SECURITY}.md
    install -D -m 644 -t "$doc/docs" "$TEXTS"/docs/*
    install -D -m 644 -t "$doc/examples" "$TEXTS"/samples/*
    install -D -m 644 -t "$doc/examples/kubernetes" "$TEXTS"/kubernetes/*
}
