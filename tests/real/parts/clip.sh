# shellcheck shell=bash
# CLIP, with which a Beta9 worker reads images: go-containerregistry's keychain, behind providers of its own.
CLIENT=$BUILT/go/clip
needs "$CLIENT"

keychain() {
    wire_cred_helpers
    shows 'no credentials' "$CLIENT" keychain "$REGISTRY"
    keep "$REGISTRY"
    [ "$(client "$CLIENT" keychain "$REGISTRY")" = 'alice wonderland' ]
    unwire
    shows 'no credentials' "$CLIENT" keychain "$REGISTRY"
}
claim "CLIP's keychain provider finds the credential through credHelpers" keychain

# $1 wires, $2 is the registry.
indexes() {
    "$1"
    works_only_through_helper "$2" "$CLIENT" index "$2/private/app:1"
}
claim 'CLIP indexes a private image through credHelpers' indexes wire_cred_helpers "$REGISTRY"
claim 'CLIP indexes a private image through credsStore, with bearer tokens' indexes wire_creds_store "$BEARER"

identity_token() {
    wire_cred_helpers
    works_with_identity_token "$CLIENT" index "$BEARER/private/app:1"
}
claim 'CLIP indexes a private image with an identity token, stored as <token>' identity_token

anonymous() {
    wire_creds_store
    works_anonymously "$CLIENT" index "$BEARER/public/app:1"
}
claim 'CLIP indexes a public image anonymously while the helper is wired' anonymous

hard_failure() {
    wire_creds_store
    shows_hard_failure "$BEARER" "$CLIENT" index "$BEARER/public/app:1"
}
claim "CLIP shows the helper's own line when the helper fails" hard_failure

# What `provision` writes of a vendor's own keys, read as CLIP reads a workspace's secret.
reads_what_provision_writes() {
    local host keys expected
    while read -r host keys expected; do
        with_stdin "$keys" docker-credential-beta9 provision "$host/org/app" --creds-json - --image-id im
        with_stdin "$(client docker-credential-beta9 resolve im)" "$CLIENT" secret "$host" >"$CLIENT_HOME/read"
        [ "$(cat "$CLIENT_HOME/read")" = "$expected" ]
    done <<'KEYS'
ghcr.io {"GITHUB_USERNAME":"u","GITHUB_TOKEN":"t"} u t
docker.pkg.github.com {"GITHUB_USERNAME":"u","GITHUB_TOKEN":"t"} u t
docker.io {"DOCKERHUB_USERNAME":"u","DOCKERHUB_TOKEN":"t"} u t
nvcr.io {"NGC_API_KEY":"t"} $oauthtoken t
gcr.io {"GCP_ACCESS_TOKEN":"t"} oauth2accesstoken t
quay.io {"QUAY_OAUTH_TOKEN":"t"} $oauthtoken t
registry.gitlab.com {"CI_JOB_TOKEN":"t"} gitlab-ci-token t
registry.gitlab.com {"CI_DEPLOY_USER":"u","CI_DEPLOY_PASSWORD":"t"} u t
registry.gitlab.com {"GITLAB_USERNAME":"u","GITLAB_TOKEN":"t"} u t
registry.digitalocean.com {"DIGITALOCEAN_ACCESS_TOKEN":"t"} t t
rg.fr-par.scw.cloud {"SCW_SECRET_KEY":"t"} nologin t
icr.io {"IBMCLOUD_API_KEY":"t"} iamapikey t
fra.ocir.io {"OCI_USERNAME":"u","OCI_AUTH_TOKEN":"t"} u t
acme.jfrog.io {"JFROG_USERNAME":"u","JFROG_ACCESS_TOKEN":"t"} u t
registry.heroku.com {"HEROKU_API_KEY":"t"} _ t
registry.fly.io {"FLY_API_TOKEN":"t"} x t
registry.hf.space {"HF_USERNAME":"u","HF_TOKEN":"t"} u t
harbor.example {"DOCKERHUB_USERNAME":"u","DOCKERHUB_PASSWORD":"p","DOCKERHUB_TOKEN":"t"} u p
KEYS
}
claim "CLIP reads the secret that provision writes of every vendor's keys" reads_what_provision_writes

# As a gateway has it: a registry's lasting keys become a token, and the worker reads the image with the payload alone.
minted_payload() {
    local port payload ecr
    python3 - >"$WORLD/ecr" <<'PYTHON' &
import base64, http.server, json, time
class Ecr(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        data = {"authorizationToken": base64.b64encode(b"AWS:minted-token").decode(), "expiresAt": time.time() + 43200}
        data["proxyEndpoint"] = "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"
        body = json.dumps({"authorizationData": [data]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("127.0.0.1", 0), Ecr)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
    ecr=$!
    until [ -s "$WORLD/ecr" ]; do sleep 0.1; done
    port=$(cat "$WORLD/ecr")
    client mkdir -p -m 700 "$CLIENT_HOME/.config/beta9"
    with_stdin "[[registry]]
host = \"$REGISTRY\"
alias_of = \"123456789012.dkr.ecr.us-east-1.amazonaws.com\"
endpoint_url = \"http://127.0.0.1:$port\"" tee "$CLIENT_HOME/.config/beta9/credential-helper.toml"
    with_stdin '{"AWS_ACCESS_KEY_ID":"AKIAIOSFODNN7EXAMPLE","AWS_SECRET_ACCESS_KEY":"canary/EXAMPLEKEY"}' \
        docker-credential-beta9 provision "$REGISTRY/private/app" --creds-json - --image-id im
    payload=$(client docker-credential-beta9 resolve im --mint)
    kill "$ecr"
    [[ $payload == *minted-token*expires_at* && $payload != *canary* && $payload != *AKIA* ]]
    with_stdin "$payload" "$CLIENT" payload "$REGISTRY/private/app:1"
    # It was the payload that did it.
    ! with_stdin "${payload/minted-token/other-token}" "$CLIENT" payload "$REGISTRY/private/app:1"
}
claim 'CLIP reads a private image with the payload of resolve --mint, which holds no key' minted_payload
