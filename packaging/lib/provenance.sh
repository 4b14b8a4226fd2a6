# shellcheck shell=bash
# Sourced by packaging/release: what was made of what, as SLSA's predicate in in-toto's statement. SHA256SUMS names it, so that
# the release's signature is its own too.

# make_provenance: of all that is made so far. SOURCE_COMMIT names the commit where there is no git, BUILDER_ID who builds.
make_provenance() {
    local commit=${SOURCE_COMMIT:-} changed='' made subjects=''
    local file=$NAME-$VERSION.intoto.json
    if [ -z "$commit" ]; then
        commit=$(git -C "$REPO" rev-parse HEAD)
        [ -z "$(git -C "$REPO" status --porcelain --untracked-files=no)" ] || changed=',"annotations":{"uncommitted":true}'
    fi
    # shellcheck disable=SC2153 # made() fills it
    for made in "${MADE[@]}"; do
        subjects+=",{\"name\":\"$made\",\"digest\":{\"sha256\":\"$(sum_of "$OUT/$made")\"}}"
    done
    printf '{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"urn:%s:packaging-release:v1","externalParameters":{"version":"%s","architectures":"%s"},"internalParameters":{"sourceDateEpoch":%s,"rustc":"%s"},"resolvedDependencies":[{"name":"source","digest":{"gitCommit":"%s"}%s},{"name":"Cargo.lock","digest":{"sha256":"%s"}}]},"runDetails":{"builder":{"id":"%s"}}}}\n' \
        "${subjects#,}" "$NAME" "$VERSION" "${ARCHES[*]}" "$SOURCE_DATE_EPOCH" "$(rustc --version)" "$commit" "$changed" \
        "$(sum_of "$REPO/Cargo.lock")" "${BUILDER_ID:-urn:$NAME:own-machine}" >"$OUT/$file"
    made "$file"
}

sum_of() {
    local sum
    sum=$(sha256sum <"$1")
    echo "${sum%% *}"
}
