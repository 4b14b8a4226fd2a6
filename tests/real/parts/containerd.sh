# shellcheck shell=bash
# What containerd ignores or refuses, that doctor finds it in its files, and that the remedy which doctor names ends it.
needs containerd ctr
[ -d /etc/containerd ] || lacks /etc/containerd

VERSION=$(containerd --version 2>/dev/null | cut -d' ' -f3)
case ${VERSION#v} in 1.*) OLD_CONTAINERD=1 ;; *) OLD_CONTAINERD= ;; esac

# own_files: nothing is in containerd's directory but what the claim puts there.
own_files() {
    mountpoint -q /etc/containerd || mount -t tmpfs tmpfs /etc/containerd
    rm -rf /etc/containerd/*
}

# found [CODE]…: the warnings and faults that doctor has of containerd, and no others.
found() {
    client docker-credential-beta9 doctor --json >"$CLIENT_HOME/doctor" || true
    diff <(jq -r '.findings[] | select(.part == "containerd" and (.state == "warning" or .state == "broken")) | .code' "$CLIENT_HOME/doctor") \
        <([ $# = 0 ] || printf '%s\n' "$@")
}

# remedy CODE: runs what doctor says, but for the restart: nothing is started by systemd here.
remedy() {
    local command
    command=$(jq -r --arg code "$1" '.findings[] | select(.code == $code) | .command' "$CLIENT_HOME/doctor")
    command=${command%" && sudo systemctl restart containerd"}
    echo "remedy: $command"
    # Root needs no sudo, and may have none.
    # shellcheck disable=SC2317,SC2329 # the command calls it
    sudo() { "$@"; }
    eval "$command"
}

# starts: whether the CRI plugin of a containerd takes the configuration, by its own log.
takes() {
    local pid log=$CLIENT_HOME/log
    sed "s#^version = 2#version = 2\nroot = \"$CLIENT_HOME/root\"\nstate = \"$CLIENT_HOME/state\"#" /etc/containerd/config.toml >"$CLIENT_HOME/config.toml"
    env -i PATH="$PATH" HOME="$CLIENT_HOME" containerd --config "$CLIENT_HOME/config.toml" --address "$CLIENT_HOME/socket" >"$log" 2>&1 &
    pid=$!
    wait_for ctr --address "$CLIENT_HOME/socket" version >/dev/null
    kill "$pid"
    wait "$pid" || true
    ! grep 'invalid plugin config' "$log"
}

beside_path() {
    own_files
    local cri='[plugins."io.containerd.grpc.v1.cri".registry' path='  config_path = "/etc/containerd/certs.d"'
    printf 'version = 2\n%s]\n%s\n%s.mirrors."alias.test"]\n  endpoint = ["https://%s"]\n' "$cri" "$path" "$cri" "$BEARER" >/etc/containerd/config.toml
    found containerd.configs_beside_path
    takes && return 1
    # The remedy is in words: the settings go into the file that it names, with the table that it names.
    jq -r '.findings[] | select(.code == "containerd.configs_beside_path") | .fix' "$CLIENT_HOME/doctor" |
        grep -F "/etc/containerd/certs.d/alias.test/hosts.toml [host.\"https://$BEARER\"]" | grep -F 'remove registry.mirrors from /etc/containerd/config.toml'
    mkdir -p /etc/containerd/certs.d/alias.test
    echo "[host.\"https://$BEARER\"]" >/etc/containerd/certs.d/alias.test/hosts.toml
    printf 'version = 2\n%s]\n%s\n' "$cri" "$path" >/etc/containerd/config.toml
    takes
    found
}
[ -n "$OLD_CONTAINERD" ] || lacks 'containerd 1'
claim "settings beside config_path stop containerd's CRI plugin, doctor says so, and moved it starts" beside_path

# What containerd merges is what counts: from 1.6 on a plugin's table of an imported file takes the place of the whole one.
merged() {
    own_files
    mkdir -p /etc/containerd/conf.d /etc/containerd/certs.d/alias.test
    echo "[host.\"https://$BEARER\"]" >/etc/containerd/certs.d/alias.test/hosts.toml
    printf 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n' >/etc/containerd/config.toml
    found
    printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x"\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = ""\n' >/etc/containerd/conf.d/a.toml
    found containerd.no_config_path
    remedy containerd.no_config_path
    containerd --config /etc/containerd/config.toml config dump | grep 'config_path = "/etc/containerd/certs.d"'
    found
}
claim 'doctor asks containerd what its files come to, and the remedy changes that' merged

# Pulled by ctr, whose code for hosts.toml is that of the CRI plugin.
no_host_table() {
    own_files
    local dir=/etc/containerd/certs.d
    mkdir -p "$dir/alias.test"
    printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "%s"\n' "$dir" >/etc/containerd/config.toml
    echo "server = \"https://$BEARER\"" >"$dir/alias.test/hosts.toml"
    found containerd.no_host_table
    client "${CTR[@]}" --hosts-dir "$dir" alias.test/public/app:1 && return 1
    remedy containerd.no_host_table
    client "${CTR[@]}" --hosts-dir "$dir" alias.test/public/app:1
    found
    # Without the flag ctr does not look there, which doctor says too.
    client "${CTR[@]}" alias.test/public/app:1 && return 1
    jq -r '.findings[] | select(.code == "containerd.ctr_hosts_dir") | .fix' "$CLIENT_HOME/doctor" |
        grep -F "docker-credential-beta9 with ctr images pull --hosts-dir $dir IMAGE"
}
with_containerd
claim 'a hosts.toml without [host] is ignored before 2.0, doctor says so, and its command fixes it' no_host_table

two_directories() {
    own_files
    printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"\n' >/etc/containerd/config.toml
    mkdir -p /etc/containerd/certs.d/alias.test
    echo "[host.\"https://$BEARER\"]" >/etc/containerd/certs.d/alias.test/hosts.toml
    takes
    found
}
claim 'of two directories doctor says nothing where containerd takes both' two_directories

# --- containerd 2, by its own code for hosts.toml ---
needs "$BUILT/containerd/hosts"

# asks CONFIG_PATH HOST…: the hosts that its transfer service asks for the images of bearer.test.
asks() {
    local config_path=$1
    shift
    diff <("$BUILT/containerd/hosts" "$config_path" "$BEARER") <(printf '%s\n' "$@")
}

# Doctor finds a containerd that calls itself 2.2.1 and says nothing else.
two_are_one() {
    own_files
    local program registry='[plugins."io.containerd.cri.v1.images".registry]'
    program=$(command -v containerd)
    # shellcheck disable=SC2016 # the script expands it
    printf '#!/bin/sh\ncase "$*" in *--version) echo "containerd x v2.2.1 y" ;; *) exit 1 ;; esac\n' >"$CLIENT_HOME/containerd"
    chmod 755 "$CLIENT_HOME/containerd"
    mount --bind "$CLIENT_HOME/containerd" "$program"
    # shellcheck disable=SC2064 # the program that it is now
    trap "umount '$program'" EXIT
    mkdir -p "/etc/containerd/certs.d/$BEARER"
    echo '[host."https://mirror.test"]' >"/etc/containerd/certs.d/$BEARER/hosts.toml"
    printf 'version = 3\n%s\nconfig_path = "/etc/containerd/certs.d:/etc/docker/certs.d"\n' "$registry" >/etc/containerd/config.toml
    asks "$(config_path)" "$BEARER"
    found containerd.two_directories
    remedy containerd.two_directories
    asks "$(config_path)" mirror.test "$BEARER"
    found
}
config_path() {
    sed -n 's/^config_path = "\(.*\)"/\1/p' /etc/containerd/config.toml
}
claim 'containerd 2 takes two directories for one that does not exist, doctor says so, and its command fixes it' two_are_one

host_is_optional() {
    local dir=$CLIENT_HOME/certs.d
    mkdir -p "$dir/$BEARER"
    echo 'server = "https://other.test"' >"$dir/$BEARER/hosts.toml"
    asks "$dir" other.test
    # What doctor adds for containerd 1 changes nothing for 2.
    echo '[host]' >>"$dir/$BEARER/hosts.toml"
    asks "$dir" other.test
}
claim 'containerd 2 takes a hosts.toml without [host], and with an empty one' host_is_optional
[ ! -d /etc/containerd ] || ! mountpoint -q /etc/containerd || umount /etc/containerd
