# shellcheck shell=bash
# ctr, which calls no helper: `with` gives it the credential at its prompt.
needs containerd ctr

with_containerd

# pulls HOST: refused without a credential, and pulled with the one that the helper holds.
pulls() {
    local image=$1/private/app:1
    refused "${CTR[@]}" "$image"
    refused docker-credential-beta9 with "${CTR[@]}" "$image"
    keep "$1"
    client docker-credential-beta9 with "${CTR[@]}" "$image"
    ctr --address "$CONTAINERD/socket" images ls -q | grep -xF "$image" >/dev/null
    ctr --address "$CONTAINERD/socket" images rm "$image"
}
claim 'ctr pulls a private image with the credential of the helper' pulls "$REGISTRY"
claim 'ctr pulls a private image from a registry that hands out bearer tokens' pulls "$BEARER"

# Looks at every process, again and again, until the file `done` is there: at arguments and environment of all, and at the
# open files of the helper that runs ctr and of all that comes of it.
hides_the_password() {
    local host=$1 user=$2 password=$3 watcher
    keep "$host"
    { echo "$password"; printf '%s' "$user:$password" | base64; } >"$CLIENT_HOME/canaries"
    python3 - "$CLIENT_HOME" "$user" <<'PYTHON' &
import glob, os, stat, sys
home, user = sys.argv[1:]
canaries = open(home + "/canaries", "rb").read().split()
told, looked_at = set(), set()

def parent(process):
    return open(process + "/stat").read().rsplit(")", 1)[1].split()[1]

def is_of_the_helper(process):
    while process != "/proc/0":
        if b"with\0ctr\0" in open(process + "/cmdline", "rb").read():
            return True
        process = "/proc/" + parent(process)
    return False

def texts(process):
    line = open(process + "/cmdline", "rb").read()
    yield line
    yield open(process + "/environ", "rb").read()
    if not is_of_the_helper(process):
        return
    if line.startswith(b"ctr\0"):
        told.add(b"--user\0" + user.encode() + b"\0" in line)
    for fd in os.listdir(process + "/fd"):
        path = process + "/fd/" + fd
        if stat.S_ISREG(os.stat(path).st_mode):
            yield open(path, "rb").read()
    looked_at.add(line.split(b"\0")[0])

open(home + "/watching", "w").close()
while not os.path.exists(home + "/done"):
    for process in glob.glob("/proc/[0-9]*"):
        try:
            for text in texts(process):
                if any(canary in text for canary in canaries):
                    sys.exit("the password is visible in " + process)
        except OSError:
            continue
if told != {True} or b"ctr" not in looked_at or len(looked_at) < 2:
    sys.exit("not all was looked at: %r, %r" % (told, looked_at))
PYTHON
    watcher=$!
    wait_for test -e "$CLIENT_HOME/watching"
    client docker-credential-beta9 with "${CTR[@]}" "$host/private/app:1"
    touch "$CLIENT_HOME/done"
    wait "$watcher"
    rm "$CLIENT_HOME/canaries"
    not_in_plain_file "$user" "$password"
}
claim 'no argument, variable or open file of any process holds the password while ctr pulls' hides_the_password "$REGISTRY" alice wonderland
claim 'nor while it pulls with bearer tokens' hides_the_password "$BEARER" carol bearer-secret

takes_no_identity_token() {
    keep "$BEARER" '<token>' identity-token-of-carol
    shows 'identity token' docker-credential-beta9 with "${CTR[@]}" "$BEARER/private/app:1"
}
claim 'ctr is not given an identity token' takes_no_identity_token
