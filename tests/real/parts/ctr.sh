# shellcheck shell=bash
# ctr, which calls no helper: `with` gives it the credential at its prompt.
needs containerd ctr

CTR=(ctr --address "$CONTAINERD/socket" images pull --snapshotter native)

with_containerd

# pulls HOST: refused without a credential, and pulled with the one that the helper holds.
pulls() {
    local image=$1/private/app:1
    refused "${CTR[@]}" "$image"
    refused docker-credential-beta9 with "${CTR[@]}" "$image"
    keep "$1"
    client docker-credential-beta9 with "${CTR[@]}" "$image"
    ctr --address "$CONTAINERD/socket" images ls -q | grep -qxF "$image"
    ctr --address "$CONTAINERD/socket" images rm "$image"
}
claim 'ctr pulls a private image with the credential of the helper' pulls "$REGISTRY"
claim 'ctr pulls a private image from a registry that hands out bearer tokens' pulls "$BEARER"

# Looks at every process, again and again, until the file `done` is there.
hides_the_password() {
    local image=$REGISTRY/private/app:1 watcher
    keep "$REGISTRY"
    { echo wonderland; printf alice:wonderland | base64; } >"$CLIENT_HOME/canaries"
    python3 - "$CLIENT_HOME" <<'PYTHON' &
import glob, os, stat, sys
home = sys.argv[1]
canaries = open(home + "/canaries", "rb").read().split()
seen = set()
open(home + "/watching", "w").close()
while not os.path.exists(home + "/done"):
    for process in glob.glob("/proc/[0-9]*"):
        try:
            line = open(process + "/cmdline", "rb").read()
            texts = [line, open(process + "/environ", "rb").read()]
            if line.startswith(b"ctr\0"):
                seen.add(b"--user\0alice\0" in line)
                for fd in os.listdir(process + "/fd"):
                    path = process + "/fd/" + fd
                    if stat.S_ISREG(os.stat(path).st_mode):
                        texts.append(open(path, "rb").read())
        except OSError:
            continue
        for text in texts:
            if any(canary in text for canary in canaries):
                sys.exit("the password is visible in " + process)
sys.exit(0 if seen == {True} else "ctr was never seen")
PYTHON
    watcher=$!
    wait_for test -e "$CLIENT_HOME/watching"
    client docker-credential-beta9 with "${CTR[@]}" "$image"
    touch "$CLIENT_HOME/done"
    wait "$watcher"
    rm "$CLIENT_HOME/canaries"
    not_in_plain_file alice wonderland
}
claim 'no argument, variable or open file of any process holds the password while ctr pulls' hides_the_password

takes_no_identity_token() {
    keep "$BEARER" '<token>' identity-token-of-carol
    shows 'identity token' docker-credential-beta9 with "${CTR[@]}" "$BEARER/private/app:1"
}
claim 'ctr is not given an identity token' takes_no_identity_token
