# shellcheck shell=bash
# Sourced by packaging/test: Kubernetes' manifests, and the container images.

test_manifests() {
    with_python "the manifests are what Kubernetes' published schemas want, with nothing unknown in them" manifests_are_valid
    claim "the manifests ask for no privilege but root's own directory" manifests_are_hardened
    claim "on Rancher's nodes it leaves a configuration of somebody else's as it is" ranchers_file_works
    claim "what a node's pod runs puts the files there, replaces them, and takes them away again" node_script_works
}

manifests_are_valid() {
    "$VENV/bin/kubernetes-validate" --strict --no-warn "$ARCHIVE"/kubernetes/{namespace,install,uninstall,install-rancher,uninstall-rancher}.yaml
}

manifests_are_hardened() {
    local manifest line path
    for manifest in install uninstall install-rancher uninstall-rancher; do
        path=/opt/beta9
        [[ $manifest != *rancher ]] || path=/var/lib/rancher/credentialprovider
        for line in 'privileged: false' 'allowPrivilegeEscalation: false' 'readOnlyRootFilesystem: true' 'capabilities: {drop: \[ALL\]}' \
            'seccompProfile: {type: RuntimeDefault}' 'automountServiceAccountToken: false' "hostPath: {path: $path, type: DirectoryOrCreate}"; do
            grep -q "^ *\(- \)\?$line$" "$ARCHIVE/kubernetes/$manifest.yaml" || { echo "$manifest: no $line"; return 1; }
        done
        [ "$(grep -c hostPath: "$ARCHIVE/kubernetes/$manifest.yaml")" = 1 ]
        # Not `! grep`, which set -e lets pass.
        if grep -E 'hostNetwork|hostPID|hostIPC' "$ARCHIVE/kubernetes/$manifest.yaml"; then return 1; fi
    done
}

# node install|remove, as in the image, with a directory for the node's.
node() {
    env -i PATH="$PATH" PROGRAM_DIR="$ARCHIVE" HOST_DIR="$WORLD/node" CONFIG_DIR="$ARCHIVE/kubernetes" READY="$WORLD/ready" ONCE=1 \
        CONFIG_NAME="${CONFIG_NAME:-}" sh "$ARCHIVE/container/node" "$@"
}

node_script_works() {
    local running
    mkdir -p "$WORLD/node"
    node install | grep "installed $NAME"
    [ -e "$WORLD/ready" ]
    cmp "$WORLD/node/bin/$NAME" "$BETA9_HELPER"
    cmp "$WORLD/node/credential-provider.yaml" "$ARCHIVE/kubernetes/credential-provider.yaml"
    # An older program that is running is replaced.
    cp /bin/sleep "$WORLD/node/bin/$NAME"
    "$WORLD/node/bin/$NAME" 1000 &
    running=$!
    until [ "/proc/$running/exe" -ef "$WORLD/node/bin/$NAME" ]; do
        kill -0 "$running"
        sleep 0.05
    done
    # shellcheck disable=SC2064 # it is this process that goes with the claim
    trap "kill $running" EXIT
    node install
    kill -0 "$running"
    cmp "$WORLD/node/bin/$NAME" "$BETA9_HELPER"
    node remove
    [ -z "$(ls -A "$WORLD/node")" ]
    node remove
    ! node
}

# In Rancher's directory, which other providers share.
ranchers_file_works() {
    local config=$WORLD/node/config.yaml CONFIG_NAME=config.yaml
    mkdir -p "$WORLD/node"
    printf 'kind: CredentialProviderConfig\nproviders:\n  - name: ecr\n' >"$config"
    cp "$config" "$WORLD/theirs"
    node install && return 1
    node remove && return 1
    cmp "$config" "$WORLD/theirs"
    [ ! -e "$WORLD/node/bin" ]
    rm "$config"
    node install
    node install
    cmp "$WORLD/node/bin/$NAME" "$BETA9_HELPER"
    diff <(sed '/^$/d; /^# Written by/d' "$config") <(sed '/^$/d' "$ARCHIVE/kubernetes/credential-provider.yaml")
    node remove
    [ -z "$(ls -A "$WORLD/node")" ]
}

test_images() {
    if ! command -v buildah >/dev/null || [ "$(id -u)" != 0 ]; then
        skip "the images are built and run" "needs buildah, and root"
        return
    fi
    claim "the release's image is loaded, has the program that the recipe's has, and runs" loads_the_release_image
    claim "the image from scratch is built, holds the program alone, and runs" builds_the_program_image
    claim "the node image is built, and installs and removes with no capability" builds_the_node_image
    buildah_in_scratch rm --all >/dev/null 2>&1
    buildah_in_scratch rmi --all --force >/dev/null 2>&1
}

buildah_in_scratch() {
    buildah --storage-driver vfs --root "$WORLD/images" --runroot "$WORLD/images-run" "$@"
}

# run_image IMAGE OPTION… -- COMMAND…: in a chroot and no namespace, which works inside of containers too.
run_image() {
    local image=$1 options=() container
    shift
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    shift
    container=$(buildah_in_scratch from "$image")
    buildah_in_scratch run --isolation chroot "${options[@]}" "$container" "$@"
}

builds_the_program_image() {
    local container mounted answer status=0
    buildah_in_scratch build --quiet --file "$ARCHIVE/container/Containerfile" --target program --tag localhost/program "$ARCHIVE"
    container=$(buildah_in_scratch from localhost/program)
    mounted=$(buildah_in_scratch mount "$container")
    [ "$(cd "$mounted" && find . -type f | sort | tr '\n' ' ')" = "./LICENSE ./usr/bin/$NAME " ]
    [ "$(run_image localhost/program -- /usr/bin/"$NAME" version)" = "$("$BETA9_HELPER" version)" ]
    answer=$(echo ghcr.io | run_image localhost/program -- /usr/bin/"$NAME" get 2>/dev/null) || status=$?
    [ "$status" != 0 ] && [[ $answer == 'credentials not found in native keychain'* ]]
    buildah_in_scratch inspect --type image localhost/program | grep '"User": "65534:65534"'
}

loads_the_release_image() {
    local container mounted
    buildah_in_scratch pull --quiet "oci-archive:$(echo "$DIST"/*.oci.tar)" >"$WORLD/pulled"
    container=$(buildah_in_scratch from "$(tail -n 1 "$WORLD/pulled")")
    mounted=$(buildah_in_scratch mount "$container")
    [ "$(cd "$mounted" && find . -type f | sort | tr '\n' ' ')" = "./LICENSE ./usr/bin/$NAME " ]
    cmp "$mounted/usr/bin/$NAME" "$BETA9_HELPER"
    [ "$(buildah_in_scratch run --isolation chroot "$container" /usr/bin/"$NAME" version)" = "$("$BETA9_HELPER" version)" ]
    buildah_in_scratch inspect --type container "$container" | grep '"User": "65534:65534"'
}

# On a base made of this machine's shell, since the build asks no registry.
builds_the_node_image() {
    local base=$WORLD/base container host=$WORLD/host
    mkdir -p "$base/tmp" "$host"
    ln -s usr/bin "$base/bin"
    put_program "$base" sh cp mv chmod rm rmdir mkdir sleep
    container=$(buildah_in_scratch from scratch)
    buildah_in_scratch copy --quiet "$container" "$base" /
    buildah_in_scratch config --env PATH=/usr/bin "$container"
    buildah_in_scratch commit --quiet "$container" localhost/base
    buildah_in_scratch build --quiet --file "$ARCHIVE/container/Containerfile" --target node --build-arg BASE=localhost/base \
        --tag localhost/node "$ARCHIVE"
    local mounts=(--volume "$host:/host" --volume "$ARCHIVE/kubernetes:/config:ro" --env ONCE=1 --cap-drop all)
    run_image localhost/node "${mounts[@]}" -- /usr/bin/beta9-node install | grep "installed $NAME"
    cmp "$host/bin/$NAME" "$BETA9_HELPER"
    cmp "$host/credential-provider.yaml" "$ARCHIVE/kubernetes/credential-provider.yaml"
    run_image localhost/node "${mounts[@]}" -- /usr/bin/beta9-node remove
    [ -z "$(ls -A "$host")" ]
}
