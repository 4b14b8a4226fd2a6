//! `configure kubelet` on nodes of k3s, RKE2 and Rancher's agent: the real binary at the real places, in mounts of its own.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod common;

use std::process::Command;

use common::users::{answered, skip};
use common::{Answer, BINARY};

/// By the rules of `ImageCredProvAvailable` in k3s' pkg/daemons/agent/agent.go, which RKE2 shares, and by those of kubelet's
/// own pkg/credentialprovider/plugin, which looks for each program before it starts.
const RULES: &str = r#"
DIR=/var/lib/rancher/credentialprovider
available() {
    if [ -d $DIR/bin ] && [ -e $DIR/config.yaml ] && [ ! -d $DIR/config.yaml ]; then echo available; else echo unavailable; return; fi
    for name in $(sed -n 's/^ *\(- \)\?name: //p' $DIR/config.yaml); do
        [ -f "$DIR/bin/$name" ] && [ -x "$DIR/bin/$name" ] || echo "kubelet does not start: no $name"
    done
}
"#;

/// The output of a script, run as root on a machine with an empty /etc and /var/lib and with `$HELPER` installed;
/// `None` if mounts are not allowed.
fn on_node(script: &str) -> Option<Answer> {
    let whole = format!(
        "{{ mount -t tmpfs tmpfs /etc && mount -t tmpfs tmpfs /var/lib; }} || exit 99\numask 022\n{RULES}\n{script}"
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "/bin/sh", "-ec", &whole])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/var/lib/root")
        .env("HELPER", BINARY);
    let answer = answered(command, "");
    (answer.status != 99 && !answer.err.starts_with("unshare:")).then_some(answer)
}

/// The lines of the script, which comes to its end.
fn lines(test: &str, script: &str) -> Option<Vec<String>> {
    let Some(answer) = on_node(script) else {
        skip(test, "it needs permission to mount");
        return None;
    };
    assert_eq!(answer.status, 0, "{answer:?}");
    Some(answer.out.lines().map(str::to_owned).collect())
}

#[test]
fn the_provider_is_where_k3s_finds_it_and_undo_leaves_nothing_of_it() {
    let test = "the_provider_is_where_k3s_finds_it_and_undo_leaves_nothing_of_it";
    for (setup, restart) in [
        (
            "mkdir -p /etc/rancher/k3s /etc/systemd/system; echo >/etc/systemd/system/k3s.service",
            "systemctl restart k3s",
        ),
        (
            "mkdir -p /var/lib/rancher/rke2 /etc/systemd/system/multi-user.target.wants; ln -s x /etc/systemd/system/multi-user.target.wants/rke2-agent.service",
            "systemctl restart rke2-agent",
        ),
    ] {
        let script = format!(
            r#"{setup}
available
$HELPER configure kubelet --dry-run --hosts ghcr.io | grep "would be copied"
available
$HELPER configure kubelet --hosts ghcr.io >/var/lib/said
available
cat /var/lib/said
echo ---
stat -c '%a %u %n' $DIR $DIR/bin $DIR/bin/docker-credential-beta9 $DIR/config.yaml
cmp $HELPER $DIR/bin/docker-credential-beta9
printf '{{"ServerURL":"ghcr.io","Username":"octo","Secret":"s"}}' | $HELPER store
echo '{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"ghcr.io/org/app"}}' | $DIR/bin/docker-credential-beta9 kubelet | grep -o '"username":"octo"'
$HELPER configure kubelet --hosts ghcr.io | grep "nothing to do"
echo old >$DIR/bin/docker-credential-beta9
$HELPER configure kubelet --hosts ghcr.io | grep "is copied"
cmp $HELPER $DIR/bin/docker-credential-beta9
echo ---
$HELPER configure kubelet --undo --dry-run | grep "removed$"
available
$HELPER configure kubelet --undo
available
find /var/lib/rancher /etc/kubernetes -path '*credential*' 2>/dev/null || true
"#
        );
        let Some(lines) = lines(test, &script) else {
            return;
        };
        let program = "/var/lib/rancher/credentialprovider/bin/docker-credential-beta9";
        let parts: Vec<&[String]> = lines.split(|line| line == "---").collect();
        let [configured, there, undone] = parts[..] else {
            panic!("{lines:#?}")
        };
        assert_eq!(
            configured[..4],
            [
                "unavailable",
                "the program would be copied to",
                "unavailable",
                "available"
            ],
            "{configured:#?}"
        );
        let said = configured.join("\n");
        assert!(
            said.contains("\n+  - name: docker-credential-beta9\n"),
            "{said}"
        );
        assert!(
            said.contains("kubelet now asks this helper for ghcr.io"),
            "{said}"
        );
        assert!(
            said.contains(&format!("the program is copied to\n  {program}\n")),
            "{said}"
        );
        assert!(said.ends_with(&format!(":\n  {restart}")), "{said}");
        assert!(!said.contains("--image-credential-provider"), "{said}");
        assert_eq!(
            there[..4],
            [
                "755 0 /var/lib/rancher/credentialprovider".to_owned(),
                "755 0 /var/lib/rancher/credentialprovider/bin".to_owned(),
                format!("755 0 {program}"),
                "644 0 /var/lib/rancher/credentialprovider/config.yaml".to_owned(),
            ]
        );
        assert_eq!(there[4], "\"username\":\"octo\"");
        assert!(there[5].starts_with("nothing to do"), "{there:#?}");
        assert_eq!(
            undone.first().unwrap(),
            &format!("{program} would be removed")
        );
        assert_eq!(undone[1], "available");
        let said = undone[2..].join("\n");
        assert!(said.contains(&format!("{program} is removed")), "{said}");
        assert!(said.contains(&format!("  {restart}\n")), "{said}");
        assert!(said.ends_with("\nunavailable"), "{said}");
    }
}

#[test]
fn other_providers_and_other_places_of_a_node_stay_as_they_are() {
    let test = "other_providers_and_other_places_of_a_node_stay_as_they_are";
    let script = r#"
mkdir -p $DIR/bin /etc/rancher/k3s
printf 'apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n  - name: ecr\n' >$DIR/config.yaml
cp $DIR/config.yaml /var/lib/before
cp /bin/true $DIR/bin/ecr
$HELPER configure kubelet --hosts ghcr.io >/dev/null
available
grep name: $DIR/config.yaml
$HELPER configure kubelet --undo >/dev/null
cmp /var/lib/before $DIR/config.yaml
ls -A $DIR $DIR/bin
echo 'image-credential-provider-config: /etc/rancher/own.yaml' >/etc/rancher/k3s/config.yaml
$HELPER configure kubelet --hosts ghcr.io --json | grep -o '"file":"[^"]*"'
ls $DIR/bin/docker-credential-beta9
$HELPER configure kubelet --undo >/dev/null
ls /etc/rancher $DIR/bin
"#;
    let Some(lines) = lines(test, script) else {
        return;
    };
    let program = "/var/lib/rancher/credentialprovider/bin/docker-credential-beta9";
    let expected = format!(
        "available\n  - name: ecr\n  - name: docker-credential-beta9\n/var/lib/rancher/credentialprovider:\nbin\nconfig.yaml\n\n\
         /var/lib/rancher/credentialprovider/bin:\necr\n\"file\":\"/etc/rancher/own.yaml\"\n{program}\n/etc/rancher:\nk3s\n\n\
         /var/lib/rancher/credentialprovider/bin:\necr"
    );
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn an_entry_that_stops_kubelet_is_completed_and_an_old_copy_of_the_program_is_named() {
    let test = "an_entry_that_stops_kubelet_is_completed_and_an_old_copy_of_the_program_is_named";
    let script = r#"
mkdir -p $DIR/bin /etc/rancher/k3s
HEAD='apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n'
printf "$HEAD- name: docker-credential-beta9\n  matchImages: [ghcr.io]\n" >$DIR/config.yaml
found() { $HELPER doctor --json | tr '{' '\n' | grep "$DIR/" | grep -o '"code":"[^"]*","state":"[^"]*","part":"kubelet"' || true; }
found
$HELPER configure kubelet --hosts ghcr.io >/dev/null
grep -c 'apiVersion: credentialprovider.kubelet.k8s.io/v1\|defaultCacheDuration: 0s\|^ *- kubelet' $DIR/config.yaml
found
echo '#!/bin/sh' >$DIR/bin/docker-credential-beta9
found
$HELPER configure kubelet --hosts ghcr.io >/dev/null
found
printf -- "- name: docker-credential-beta9\n" >>$DIR/config.yaml
$HELPER configure kubelet --hosts ghcr.io 2>&1 | grep -o 'names docker-credential-beta9 twice, and kubelet does not start; nothing was changed' || true
found
rm $DIR/config.yaml*
printf "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: docker-credential-beta9\n  matchImages: [ghcr.io]\n" >$DIR/config.yaml
$HELPER configure kubelet --hosts quay.io --force >/dev/null
$HELPER configure kubelet --undo | grep -o 'with another entry' || true
ls $DIR/bin
rm $DIR/config.yaml*
: >$DIR/config.yaml
$HELPER configure kubelet --hosts ghcr.io >/dev/null
$HELPER configure kubelet --undo | grep -c 'names no provider, and'
found
"#;
    let Some(lines) = lines(test, script) else {
        return;
    };
    let found = |code: &str, state: &str| {
        format!("\"code\":\"{code}\",\"state\":\"{state}\",\"part\":\"kubelet\"")
    };
    assert_eq!(
        lines,
        [
            found("client.wrong_args", "broken"),
            "3".to_owned(),
            found("client.asked", "ok"),
            found("program.other_build", "warning"),
            found("client.asked", "ok"),
            "names docker-credential-beta9 twice, and kubelet does not start; nothing was changed"
                .to_owned(),
            found("client.file_broken", "broken"),
            // What undo puts back still names the program, so the program stays.
            "with another entry".to_owned(),
            "docker-credential-beta9".to_owned(),
            "1".to_owned(),
            found("client.no_provider", "warning"),
        ]
    );
}

#[test]
fn nothing_is_put_through_a_link_or_into_a_directory_that_others_may_change() {
    let test = "nothing_is_put_through_a_link_or_into_a_directory_that_others_may_change";
    let script = r"
mkdir -p $DIR/bin /var/lib/theirs
echo theirs >/var/lib/theirs/program
ln -s /var/lib/theirs/program $DIR/bin/docker-credential-beta9
$HELPER configure kubelet --hosts ghcr.io >/dev/null
cat /var/lib/theirs/program
[ ! -L $DIR/bin/docker-credential-beta9 ] && available
$HELPER configure kubelet --undo >/dev/null
mkdir -p $DIR/bin
chmod 777 $DIR/bin
$HELPER configure kubelet --hosts ghcr.io 2>&1 || true
ls -A $DIR $DIR/bin
rm -r $DIR
mkdir -p $DIR/config.yaml
$HELPER configure kubelet --hosts ghcr.io 2>&1 || true
";
    let Some(lines) = lines(test, script) else {
        return;
    };
    assert_eq!(lines[..2], ["theirs", "available"]);
    assert!(lines[2].contains("can be written by others"), "{lines:#?}");
    assert!(lines[2].contains("nothing was changed; "), "{lines:#?}");
    assert_eq!(
        lines[3..7],
        [
            "/var/lib/rancher/credentialprovider:",
            "bin",
            "",
            "/var/lib/rancher/credentialprovider/bin:"
        ]
    );
    assert!(lines[7].contains("it is a directory"), "{lines:#?}");
}
