# shellcheck shell=bash
# Kubelet's own code for image credentials: it reads the configuration, runs the helper, decodes strictly, keeps, looks up.
CLIENT=$BUILT/kubelet
needs "$CLIENT" skopeo

# kubelet_config [EXTRA]: a CredentialProviderConfig with the patterns that the table gives, and the test's own registry.
kubelet_config() {
    jq -Rn --argjson extra "${1:-{\}}" '{
        apiVersion: "kubelet.config.k8s.io/v1", kind: "CredentialProviderConfig",
        providers: [{name: "docker-credential-beta9", apiVersion: "credentialprovider.kubelet.k8s.io/v1", args: ["kubelet"],
                     defaultCacheDuration: "10m", matchImages: ([inputs] + ["registry.test", "registry.test:5443"])} + $extra]
    }' <"$HERE/../fixtures/match-images.txt" >"$CLIENT_HOME/config.json"
}

# kubelet IMAGE…: what kubelet finds for each image.
kubelet() {
    client "$CLIENT" lookup "$CLIENT_HOME/config.json" "$WORLD/bin" "$@"
}

# asked TIMES: how often kubelet has run the helper.
asked() {
    [ "$(grep -cx kubelet "$CLIENT_HOME/asked")" = "$1" ]
}

pulls() {
    kubelet_config
    local image=$REGISTRY/private/app found
    [ "$(kubelet "$image")" = "$image none" ]
    keep "$REGISTRY"
    found=$(kubelet "$image")
    [ "$found" = "$image alice wonderland" ]
    refused skopeo inspect "docker://$image:1"
    client skopeo inspect --creds "$(cut -d' ' -f2- <<<"$found" | tr ' ' :)" "docker://$image:1"
    forget "$REGISTRY"
    [ "$(kubelet "$image")" = "$image none" ]
}
claim "kubelet finds a stored credential, which pulls, and nothing where nothing is stored" pulls

spellings() {
    kubelet_config
    keep "$HUB"
    keep "$OTHER_PORT"
    keep ghcr.io octo ghp_x
    [ "$(kubelet docker.io/library/nginx)" = 'docker.io/library/nginx hubert hub-secret' ]
    [ "$(kubelet registry-1.docker.io/library/nginx)" = 'registry-1.docker.io/library/nginx hubert hub-secret' ]
    [ "$(kubelet "$OTHER_PORT/private/app")" = "$OTHER_PORT/private/app bob builder" ]
    # Another port is another registry; so is another host, whatever its path is called.
    [ "$(kubelet ghcr.io:5000/org/app)" = 'ghcr.io:5000/org/app none' ]
    [ "$(kubelet "$REGISTRY/ghcr.io/app")" = "$REGISTRY/ghcr.io/app none" ]
    [ "$(kubelet ghcr.io/org/app)" = 'ghcr.io/org/app octo ghp_x' ]
}
claim 'kubelet finds it under the name that the image has: Docker Hub, another port' spellings

keeps() {
    kubelet_config
    keep ghcr.io octo ghp_x
    kubelet ghcr.io/org/app ghcr.io/org/app ghcr.io/org/other
    asked 1
    # Nothing is not kept: what is stored next works at once.
    kubelet quay.io/org/app quay.io/org/app
    asked 3
}
claim 'kubelet keeps a credential for the whole registry, and "nothing" not at all' keeps

paths() {
    kubelet_config
    printf '[[registry]]\nhost = "ghcr.io/open"\nbackend = "public"\n' >"$CLIENT_HOME/beta9.toml"
    CLIENT_ENV+=("BETA9_CREDENTIAL_CONFIG=$CLIENT_HOME/beta9.toml")
    keep ghcr.io octo ghp_x
    kubelet ghcr.io/org/app ghcr.io/open/app ghcr.io/org/app >"$CLIENT_HOME/found"
    [ "$(<"$CLIENT_HOME/found")" = "$(printf '%s\n' 'ghcr.io/org/app octo ghp_x' 'ghcr.io/open/app none' 'ghcr.io/org/app octo ghp_x')" ]
    asked 2
}
claim 'where a rule is about a path, kubelet gets no answer of the neighbouring path' paths

fails() {
    kubelet_config
    CLIENT_ENV+=('BETA9_IMAGE_CREDENTIALS={broken')
    client "$CLIENT" lookup "$CLIENT_HOME/config.json" "$WORLD/bin" ghcr.io/org/app 2>"$CLIENT_HOME/log" >"$CLIENT_HOME/found"
    [ "$(<"$CLIENT_HOME/found")" = 'ghcr.io/org/app none' ]
    cat "$CLIENT_HOME/log"
    grep -q 'docker-credential-beta9: ghcr.io: BETA9_IMAGE_CREDENTIALS' "$CLIENT_HOME/log"
}
claim "a failure is the helper's own line in kubelet's log" fails

# A response with one field too many: kubelet must refuse it, or the claims above would show nothing about ours.
strict() {
    mkdir "$CLIENT_HOME/bin"
    cat >"$CLIENT_HOME/bin/docker-credential-beta9" <<'SCRIPT'
#!/bin/sh
docker-credential-beta9 "$@" | sed "s/^{/{$EXTRA/"
SCRIPT
    chmod +x "$CLIENT_HOME/bin/docker-credential-beta9"
    kubelet_config
    keep ghcr.io octo ghp_x
    local extra expected
    for extra in '' '"expires":1,' '"kind":"CredentialProviderResponse",'; do
        expected='ghcr.io/org/app none'
        [ -n "$extra" ] || expected='ghcr.io/org/app octo ghp_x'
        CLIENT_ENV+=("EXTRA=$extra")
        [ "$(client "$CLIENT" lookup "$CLIENT_HOME/config.json" "$CLIENT_HOME/bin" ghcr.io/org/app)" = "$expected" ]
    done
}
claim 'kubelet refuses a response with an unknown or doubled field, and takes ours' strict

hosts() {
    kubelet_config
    grep -P '^(?!#)[^\t]*\t(aws|gcp|azure|dockerhub)\t' "$HERE/../fixtures/hosts.tsv" | grep -vF "\\" |
        sed -E 's#^https://##; s#^([^\t/]*)/[^\t]*#\1#; s#^index\.docker\.io#docker.io#' | cut -f1 | sed 's#$#/team/app#' >"$CLIENT_HOME/images"
    [ "$(wc -l <"$CLIENT_HOME/images")" -ge 15 ]
    with_stdin "$(<"$CLIENT_HOME/images")" "$CLIENT" match "$CLIENT_HOME/config.json" >"$CLIENT_HOME/matched"
    diff "$CLIENT_HOME/images" "$CLIENT_HOME/matched"
    # What kubelet asks about needlessly is answered with nothing, and reaches no network: there is none here.
    grep -P '^(?!#)[^\t]*\t(generic|reject)\t' "$HERE/../fixtures/hosts.tsv" | cut -f1 | grep -vE '\\|^$|[[:cntrl:]]' |
        sed -E 's#^https?://##; s#/.*$##; s#$#/team/app#' >"$CLIENT_HOME/strangers"
    [ "$(wc -l <"$CLIENT_HOME/strangers")" -ge 60 ]
    keep gcr.io u s
    local image found
    with_stdin "$(<"$CLIENT_HOME/strangers")" "$CLIENT" match "$CLIENT_HOME/config.json" >"$CLIENT_HOME/matched"
    [ -s "$CLIENT_HOME/matched" ]
    while IFS= read -r image; do
        found=$(kubelet "$image")
        [ "$found" = "$image none" ]
    done <"$CLIENT_HOME/matched"
}
claim 'by its own rule, kubelet asks about every host of a cloud, and finds nothing for a look-alike' hosts

service_account() {
    kubelet_config '{"tokenAttributes":{"serviceAccountTokenAudience":"sts.amazonaws.com","requireServiceAccount":false,
        "cacheType":"ServiceAccount","optionalServiceAccountAnnotationKeys":["eks.amazonaws.com/role-arn"]}}'
    local image=123456789012.dkr.ecr.us-east-1.amazonaws.com/app
    echo no-token >"$CLIENT_HOME/token"
    pod() {
        client "$CLIENT" pod "$CLIENT_HOME/config.json" "$WORLD/bin" "$image" "$CLIENT_HOME/token" \
            eks.amazonaws.com/role-arn=arn:aws:iam::123456789012:role/web 2>"$CLIENT_HOME/log"
    }
    # Off, it is as if there were none; on, it is read.
    [ "$(pod)" = "$image none" ]
    [ "$(grep -c 'docker-credential-beta9:' "$CLIENT_HOME/log")" = 0 ]
    CLIENT_ENV+=('BETA9_WORKLOAD_IDENTITY=true')
    [ "$(pod)" = "$image none" ]
    grep -q "the pod's service account token: it isn't a JSON Web Token" "$CLIENT_HOME/log"
    [ "$(grep -c no-token "$CLIENT_HOME/log")" = 0 ]
}
claim "kubelet passes a pod's token, which the helper reads only where it may, and never tells" service_account

# The page's first block is the configuration, the second is added to it for pods' identities.
documented() {
    awk '/^```yaml/ { block = 1; next } /^```/ { block = 0 } block' "$REPO/docs/kubernetes.md" >"$CLIENT_HOME/config.yaml"
    grep -q tokenAttributes: "$CLIENT_HOME/config.yaml"
    keep ghcr.io octo ghp_x
    [ "$(client "$CLIENT" lookup "$CLIENT_HOME/config.yaml" "$WORLD/bin" ghcr.io/org/app)" = 'ghcr.io/org/app octo ghp_x' ]
}
claim "the book's CredentialProviderConfig is one that kubelet takes" documented
