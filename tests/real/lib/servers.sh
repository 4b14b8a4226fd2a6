# shellcheck shell=bash
# The registries: five doors to one storage directory, so that an image that is in one is in all.

LAYOUT=$WORLD/layout    # the image, as an OCI image layout with one layer

start_servers() {
    htpasswd -Bbn alice wonderland >"$WORLD/htpasswd"
    # As ECR's tokens are called, whatever their keys.
    htpasswd -Bbn AWS minted-token >>"$WORLD/htpasswd"
    htpasswd -Bbn bob builder >"$WORLD/htpasswd-other"
    htpasswd -Bbn hubert hub-secret >"$WORLD/htpasswd-hub"

    # Without a lock on the door, for the suite itself: to put images in, and to see what a client pushed.
    registry_config seed 127.0.0.1:5000 <<<''
    registry_config basic 10.88.0.1:443 tls <<YAML
auth: {htpasswd: {realm: basic, path: $WORLD/htpasswd}}
YAML
    registry_config other 10.88.0.1:5443 tls <<YAML
auth: {htpasswd: {realm: other, path: $WORLD/htpasswd-other}}
YAML
    registry_config hub 10.88.0.3:443 tls <<YAML
auth: {htpasswd: {realm: hub, path: $WORLD/htpasswd-hub}}
YAML
    registry_config bearer 10.88.0.2:443 tls <<YAML
auth:
  token:
    realm: https://auth.test:8443/token
    service: bearer.test
    issuer: auth.test
    rootcertbundle: $WORLD/token.crt
YAML
    local name
    for name in seed basic other hub bearer; do
        docker-registry serve "$WORLD/$name.yml" >"$WORLD/$name.log" 2>&1 &
    done
    python3 "$HERE/servers/token_server.py" 10.88.0.2 8443 "$WORLD" >"$WORLD/token_server.log" 2>&1 &

    local address
    for address in 127.0.0.1/5000 10.88.0.1/443 10.88.0.1/5443 10.88.0.2/443 10.88.0.2/8443 10.88.0.3/443; do
        wait_for listening "$address"
    done
    python3 "$HERE/servers/seed.py" "$LAYOUT" http://127.0.0.1:5000 private/app public/app closed/app
}

# registry_config NAME ADDRESS [tls]: writes NAME.yml; what is special about it comes on standard input.
registry_config() {
    {
        cat <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $WORLD/storage}}
http:
  addr: $2
  secret: the same for all
${3:+  tls: {certificate: $WORLD/server.crt, key: $WORLD/server.key\}}
YAML
        cat
    } >"$WORLD/$1.yml"
}

# wait_for COMMAND…: until it succeeds, for at most thirty seconds.
wait_for() {
    local _
    for _ in {1..300}; do
        "$@" 2>/dev/null && return
        sleep 0.1
    done
    echo "after 30 s still failing: $*" >&2
    return 1
}

# listening ADDRESS/PORT
listening() {
    (: <>"/dev/tcp/$1")
}

# has_image REPOSITORY:TAG: whether the storage has it, asked without any client of ours in between.
has_image() {
    python3 - "http://127.0.0.1:5000/v2/${1%:*}/manifests/${1##*:}" <<'PYTHON'
import sys, urllib.request
types = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Accept": types}))
PYTHON
}
