# shellcheck shell=bash
# Sourced by packaging/test: the systemd units, and the samples.

test_units() {
    with_tool systemd-analyze "systemd finds no fault in the units" units_are_valid
    local unit
    for unit in credential-refresh mirror; do
        with_tool systemd-analyze "beta9-$unit.service is exposed by at most 1.4 of 10, by systemd's own measure" service_is_hardened "$unit"
        claim "beta9-$unit.service starts a command that the program has" service_starts_a_command "$unit"
    done
    claim "the samples name both of Docker Hub's keys, and the program takes its own" samples_are_valid
}

# Below a root of its own, where the program is at the place that the unit names.
units_are_valid() {
    local root=$WORLD/units from
    for from in /usr/lib/systemd/system /lib/systemd/system; do
        [ ! -d "$from" ] || break
    done
    mkdir -p "$root/usr/lib/systemd"
    cp -r "$from" "$root/usr/lib/systemd/system"
    cp "$ARCHIVE"/systemd/* "$root/usr/lib/systemd/system/"
    install -D -m 755 "$BETA9_HELPER" "$root/usr/bin/$NAME"
    systemd-analyze verify --root="$root" --man=no beta9-credential-refresh.{service,timer} \
        beta9-mirror.{service,socket} 2>&1 | { ! grep beta9; }
}

service_is_hardened() {
    systemd-analyze security --offline=yes --threshold=14 "$ARCHIVE/systemd/beta9-$1.service"
}

service_starts_a_command() {
    local command
    command=$(sed -n "s|^ExecStart=/usr/bin/$NAME ||p" "$ARCHIVE/systemd/beta9-$1.service")
    commands | grep -x "$command"
}

samples_are_valid() {
    local samples=$ARCHIVE/samples
    grep -q '"docker.io": "beta9"' "$samples/docker-config.json"
    grep -q '"https://index.docker.io/v1/": "beta9"' "$samples/docker-config.json"
    env -i HOME="$WORLD" BETA9_CREDENTIAL_CONFIG="$samples/credential-helper.toml" "$BETA9_HELPER" explain ghcr.io | grep -i gateway
    if command -v jq >/dev/null; then jq -e .credHelpers "$samples"/*.json; fi
    # skopeo asks the helper, which has nothing.
    if command -v skopeo >/dev/null; then
        mkdir -p "$WORLD/sample/bin"
        # shellcheck disable=SC2016 # the script's
        printf '#!/bin/sh\necho "$1" >>"%s"\necho credentials not found in native keychain\nexit 1\n' "$WORLD/sample/asked" >"$WORLD/sample/bin/$NAME"
        chmod +x "$WORLD/sample/bin/$NAME"
        env -i PATH="$WORLD/sample/bin:$PATH" HOME="$WORLD/sample" \
            skopeo --registries-conf "$samples/registries.conf" login --get-login registry.example.com >"$WORLD/sample/said" 2>&1 || :
        grep 'not logged in' "$WORLD/sample/said"
        [ "$(head -n 1 "$WORLD/sample/asked")" = get ]
    fi
}
