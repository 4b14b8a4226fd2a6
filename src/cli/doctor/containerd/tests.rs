use std::process::{Command, Stdio};

use super::*;
use crate::cli::doctor::finding::{Fix, State};
use crate::cli::doctor::tests::write;

const MAIN: &str = "etc/containerd/config.toml";
const HOSTS: &str = "etc/containerd/certs.d/ghcr.io/hosts.toml";
const GOOD: &str = "server = \"https://ghcr.io\"\n[host.\"https://mirror.test\"]\n";
const CRI: &str = "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n";
const ONE: &str = "config_path = \"/etc/containerd/certs.d\"\n";
const TWO: &str = "config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n";

/// A machine's root directory.
struct Tree(tempfile::TempDir);

impl Tree {
    fn of(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        write(self.root(), name, text);
    }

    /// Creates a containerd of this version with this merged configuration. Another process writes it, because a file
    /// that is still open for writing in a child of another test can't be executed.
    fn runs(&self, version: &str, dump: &str) {
        self.write("dump", dump);
        self.write("usr/bin/x", "");
        let script = "printf '#!/bin/sh\\ncase \"$*\" in *--version) echo \"containerd x %s y\";; *dump) cat %s;; esac\\n' \"$1\" \"$2\" >\"$3\" && chmod 755 \"$3\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", version]);
        command.args(["dump", "usr/bin/containerd"].map(|name| self.root().join(name)));
        assert!(command.status().unwrap().success());
    }

    fn look(&self) -> Vec<Finding> {
        look(self.root(), false)
    }

    /// The codes of the findings, without good ones and the note about ctr.
    fn codes(&self) -> Vec<&'static str> {
        let findings = self.look().into_iter();
        let wrong = findings.filter(|one| one.state > State::Note);
        wrong.map(|one| one.code).collect()
    }

    /// Runs the fixes, except commands for a running system.
    fn fix(&self) {
        for finding in self.look() {
            let Some(Fix::Commands(commands)) = finding.fix else {
                continue;
            };
            for words in commands.iter().filter(|words| words[1] != "systemctl") {
                assert_eq!(words[0], "sudo");
                let done = Command::new(&words[1])
                    .args(&words[2..])
                    .stdin(Stdio::null())
                    .status();
                assert!(done.unwrap().success(), "{words:?}");
            }
        }
    }
}

#[test]
fn nothing_is_said_where_nothing_is_or_all_is_well() {
    assert!(Tree::of(&[]).look().is_empty());
    let tree = Tree::of(&[(MAIN, &format!("version = 2\n{CRI}{ONE}")), (HOSTS, GOOD)]);
    let found: Vec<_> = tree
        .look()
        .iter()
        .map(|one| (one.code, one.state))
        .collect();
    assert_eq!(found, [("containerd.ctr_hosts_dir", State::Note)]);
    // Docker's package turns the plugin off.
    let tree = Tree::of(&[(MAIN, "disabled_plugins = [\"cri\"]\n"), (HOSTS, GOOD)]);
    assert!(tree.codes().is_empty());
}

#[test]
fn each_trap_with_a_command_is_found_and_its_command_ends_it() {
    let plugin = "[plugins.'io.containerd.cri.v1.images'.registry]\n";
    let docker = "etc/docker/certs.d/quay.io/hosts.toml";
    let import = "version = 2\nimports = ['conf.d/*.toml']\n";
    let table: [(&str, &[(&str, &str)]); 9] = [
        (
            "containerd.two_directories",
            &[(MAIN, &format!("version = 2\n{CRI}  {TWO}")), (HOSTS, GOOD)],
        ),
        (
            "containerd.two_directories",
            &[
                (MAIN, &format!("version = 3\n{plugin}{TWO}")),
                (docker, GOOD),
            ],
        ),
        (
            "containerd.two_directories",
            &[
                (MAIN, &format!("version = 3\n{plugin}{TWO}")),
                (HOSTS, GOOD),
                (docker, GOOD),
            ],
        ),
        (
            "containerd.two_directories",
            &[
                (MAIN, import),
                (
                    "etc/containerd/conf.d/9.toml",
                    &format!("version = 2\n{CRI}{TWO}"),
                ),
                (HOSTS, GOOD),
            ],
        ),
        (
            "containerd.no_config_path",
            &[
                (MAIN, &format!("version = 2\n{CRI}config_path = \"\"\n")),
                (HOSTS, GOOD),
            ],
        ),
        (
            "containerd.no_config_path",
            &[
                (
                    MAIN,
                    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = 'x'",
                ),
                (HOSTS, GOOD),
            ],
        ),
        (
            "containerd.no_config_path",
            &[(MAIN, "version = 3\n"), (HOSTS, GOOD)],
        ),
        (
            "containerd.no_host_table",
            &[
                (MAIN, &format!("version = 2\n{CRI}{ONE}")),
                (HOSTS, "server = \"https://ghcr.io\"\nca = \"/x\"\n"),
            ],
        ),
        (
            "containerd.no_host_table",
            &[
                (MAIN, &format!("version = 2\n{CRI}{ONE}")),
                (HOSTS, "server = \"https://ghcr.io\"\n[header]\nx-a = 'b'"),
            ],
        ),
    ];
    for (code, files) in table {
        let tree = Tree::of(files);
        assert_eq!(tree.codes(), [code], "{files:?}");
        let before = tree.look();
        tree.fix();
        assert!(tree.codes().is_empty(), "{before:?}: {:?}", tree.look());
        // By then, the hosts.toml files of the second directory are in the first, and none is lost.
        let hosts = |tree: &Tree| {
            Daemon::all(tree.root())
                .iter()
                .map(|daemon| Look::at(daemon, tree.root()).hosts.len())
                .sum::<usize>()
        };
        assert_eq!(hosts(&tree), hosts(&Tree::of(files)), "{files:?}");
    }
}

#[test]
fn a_setting_beside_config_path_is_found_and_ends_when_it_is_moved() {
    let mirrors = "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"ghcr.io\"]\nendpoint = [\"https://mirror.test\"]\n";
    let tls = "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"ghcr.io\".tls]\nca_file = \"/x\"\n";
    for (key, setting) in [("mirrors", mirrors), ("configs", tls)] {
        let good = format!("version = 2\n{CRI}{ONE}");
        let tree = Tree::of(&[(MAIN, &format!("{good}{setting}"))]);
        let findings = tree.look();
        assert_eq!(tree.codes(), ["containerd.configs_beside_path"]);
        assert_eq!(findings[0].state, State::Broken);
        let Some(Fix::Words(words)) = &findings[0].fix else {
            panic!("{findings:?}")
        };
        let hosts = tree.root().join(HOSTS).display().to_string();
        assert!(words.contains(&hosts), "{words}");
        assert!(
            words.contains(&format!("remove registry.{key} from ")),
            "{words}"
        );
        if key == "mirrors" {
            let moved = format!("{hosts} [host.\"https://mirror.test\"]");
            assert!(words.contains(&moved), "{words}");
        }
        tree.write(HOSTS, "[host.\"https://mirror.test\"]\n");
        tree.write(MAIN, &good);
        assert!(tree.codes().is_empty());
        // Without config_path, this is the older form, which works.
        let tree = Tree::of(&[(MAIN, &format!("version = 2\n{setting}"))]);
        assert!(tree.codes().is_empty());
    }
    let auth = "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"ghcr.io\".auth]\npassword = \"hunter2\"\n";
    let tree = Tree::of(&[(MAIN, &format!("version = 2\n{CRI}{ONE}{auth}"))]);
    assert_eq!(
        tree.codes(),
        ["containerd.configs_beside_path", "client.plain_password"]
    );
}

#[test]
fn each_login_in_plain_text_is_found_by_its_place_and_ends_when_that_is_removed() {
    let cri = "[plugins.'io.containerd.grpc.v1.cri'.registry";
    let import = "imports = ['/etc/containerd/conf.d/*.toml']\n";
    let table = [
        (
            MAIN,
            format!("{cri}.configs.'ghcr.io'.auth]\nusername = 'o'\npassword = 'hunter2'\n"),
            "configs.\"ghcr.io\".auth",
        ),
        (
            MAIN,
            format!("{cri}.configs.'ghcr.io'.auth]\nidentitytoken = 'hunter2'\n"),
            "configs.\"ghcr.io\".auth",
        ),
        (
            MAIN,
            format!("{cri}.auths.'https://ghcr.io']\nauth = 'hunter2'\n"),
            "auths.\"https://ghcr.io\"",
        ),
        (
            MAIN,
            format!("{cri}.headers]\nAuthorization = ['Bearer hunter2']\n"),
            "headers.Authorization",
        ),
        (
            "etc/containerd/conf.d/a.toml",
            format!("{cri}.configs.'ghcr.io'.auth]\nauth = 'hunter2'\n"),
            "configs.\"ghcr.io\".auth",
        ),
        (
            HOSTS,
            format!("{GOOD}[host.'https://mirror.test'.header]\nauthorization = 'Basic hunter2'\n"),
            "host.\"https://mirror.test\".header.authorization",
        ),
        (
            HOSTS,
            "[host.'https://m.test'.header]\nX-JFrog-Art-Api-Key = ['hunter2']\n".to_owned(),
            "host.\"https://m.test\".header.X-JFrog-Art-Api-Key",
        ),
        (
            HOSTS,
            "server = 'https://ghcr.io'\n[header]\nPRIVATE-TOKEN = ['hunter2']\n[host]\n"
                .to_owned(),
            "header.PRIVATE-TOKEN",
        ),
    ];
    for (file, text, place) in table {
        let tree = Tree::of(&[(MAIN, import)]);
        let text = if file == MAIN {
            format!("{import}{text}")
        } else {
            text
        };
        tree.write(file, &text);
        let findings = tree.look();
        let logins: Vec<_> = findings
            .iter()
            .filter(|one| one.code == "client.plain_password")
            .collect();
        assert_eq!(logins.len(), 1, "{text}: {findings:?}");
        let Some(Fix::Words(words)) = &logins[0].fix else {
            panic!("{findings:?}")
        };
        let from = format!("{place} from {}", tree.root().join(file).display());
        assert!(words.contains(&from), "{words}");
        assert!(
            words.contains("docker-credential-beta9 configure kubelet"),
            "{words}"
        );
        assert!(!format!("{findings:?}").contains("hunter2"));
        tree.write(
            file,
            &text
                .replace("hunter2", "")
                .replace("Bearer ", "")
                .replace("Basic ", ""),
        );
        assert!(!tree.codes().contains(&"client.plain_password"), "{text}");
    }
    let tree = Tree::of(&[(
        HOSTS,
        "[host.'https://m.test'.header]\nx-custom = ['a']\nuser-agent = 'token'\n",
    )]);
    assert!(tree.codes().is_empty());
}

#[test]
fn what_containerd_itself_says_counts_and_so_does_its_version() {
    let two = format!("version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n{TWO}");
    let no_host = "server = \"https://ghcr.io\"\n";
    let table: [(&str, &[&str]); 6] = [
        ("1.6.20~ds1", &["containerd.no_host_table"]),
        ("v1.7.29", &["containerd.no_host_table"]),
        ("v2.0.4", &[]),
        ("v2.1.0-rc.1", &["containerd.two_directories"]),
        ("v2.4.0-beta.2", &["containerd.two_directories"]),
        ("v2.5.0", &[]),
    ];
    for (version, codes) in table {
        let tree = Tree::of(&[(MAIN, "version = 3\n"), (HOSTS, no_host)]);
        tree.runs(version, &two);
        assert_eq!(tree.codes(), codes, "{version}");
    }
    // The default since 2.2, which is in no file; and settings that turn the transfer service off.
    let tree = Tree::of(&[(HOSTS, GOOD)]);
    tree.runs("v2.2.1", &two);
    let found = tree.look();
    assert_eq!(tree.codes(), ["containerd.two_directories"]);
    let Some(Fix::Words(words)) = &found[0].fix else {
        panic!("{found:?}")
    };
    let set = format!(
        "in {}, set config_path = \"/etc/containerd/certs.d\" under [plugins.\"io.containerd.cri.v1.images\".registry]",
        tree.root().join(MAIN).display()
    );
    assert!(words.contains(&set), "{words}");
    for local in [
        "use_local_image_pull = true",
        "max_concurrent_downloads = 9",
        "disable_snapshot_annotations = false",
    ] {
        let dump = format!("[plugins.'io.containerd.cri.v1.images']\n{local}\n{two}");
        tree.runs("v2.2.1", &dump.replace("version = 3\n", ""));
        assert!(tree.codes().is_empty(), "{local}");
    }
    // A program that others could have written is not run.
    tree.runs("v2.5.0", &two);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(tree.root().join("usr/bin/containerd"), open).unwrap();
    tree.write(MAIN, &two);
    assert_eq!(tree.codes(), ["containerd.two_directories"]);
}

#[test]
fn what_k3s_writes_is_looked_at_and_its_own_files_are_named() {
    let dir = "var/lib/rancher/k3s/agent/etc/containerd";
    let mirrors = "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"ghcr.io\"]\nendpoint = [\"https://mirror.test\"]\n";
    let auth = "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"ghcr.io\".auth]\npassword = \"hunter2\"\n";
    let path = format!("config_path = \"/{dir}/certs.d\"\n");
    let tree = Tree::of(&[
        (
            &format!("{dir}/config.toml"),
            &format!("version = 2\n{CRI}{path}{mirrors}{auth}"),
        ),
        (
            &format!("{dir}/certs.d/ghcr.io/hosts.toml"),
            "server = \"https://ghcr.io\"\n",
        ),
    ]);
    assert_eq!(
        tree.codes(),
        [
            "containerd.configs_beside_path",
            "containerd.no_host_table",
            "client.plain_password"
        ]
    );
    let told = format!("{:?}", tree.look());
    assert!(
        told.contains("config-v3.toml.tmpl or config.toml.tmpl"),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "--hosts-dir {}/{dir}/certs.d IMAGE",
            tree.root().display()
        )),
        "{told}"
    );
    assert!(!told.contains("hunter2"));
    // A login in registries.yaml is reported there, and the settings beside it come from that file.
    let written = look(tree.root(), true);
    assert!(
        written
            .iter()
            .all(|one| one.code != "client.plain_password"),
        "{written:?}"
    );
    // For other places, the arguments of the running process tell.
    let process = tree.root().join("proc/7");
    fs::create_dir_all(&process).unwrap();
    std::os::unix::fs::symlink("/nowhere", process.join("exe")).unwrap();
    tree.write(
        "proc/7/cmdline",
        "containerd\0-c\0/data/agent/etc/containerd/config.toml\0",
    );
    tree.write("data/agent/etc/containerd/config.toml", mirrors);
    assert_eq!(Daemon::all(tree.root())[3].writer, Some("k3s"));
}

#[test]
fn a_login_in_a_url_is_one_in_plain_text_and_is_shown_nowhere() {
    let url = "https://octo:hunter2@m.test";
    let cri = "[plugins.\"io.containerd.grpc.v1.cri\".registry";
    for (file, text, place) in [
        (HOSTS, format!("server = '{url}'\n[host]\n"), "server"),
        (
            HOSTS,
            format!("[host.'{url}']\n"),
            "host.\"https://****@m.test\"",
        ),
        (
            MAIN,
            format!("{cri}.mirrors.'ghcr.io']\nendpoint = ['{url}']\n"),
            "mirrors.\"ghcr.io\".endpoint",
        ),
        (
            MAIN,
            format!("{CRI}{ONE}{cri}.mirrors.'ghcr.io']\nendpoint = ['{url}']\n"),
            "mirrors.\"ghcr.io\".endpoint",
        ),
    ] {
        let tree = Tree::of(&[(file, &text)]);
        let findings = tree.look();
        let named = |one: &&Finding| {
            one.code == "client.plain_password" && one.what.contains(&format!("{place})"))
        };
        assert_eq!(findings.iter().filter(named).count(), 1, "{findings:?}");
        assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
    }
    for header in [
        "X-JFrog-Art-Api",
        "X-Auth-Key",
        "Proxy-Authentication",
        "X-Password",
    ] {
        let text = format!("{GOOD}[host.'https://m.test'.header]\n{header} = 'hunter2'\n");
        let tree = Tree::of(&[(HOSTS, &text)]);
        assert!(tree.codes().contains(&"client.plain_password"), "{header}");
    }
}

#[test]
fn nothing_is_said_to_be_missing_from_what_cannot_be_read() {
    let tree = Tree::of(&[(HOSTS, GOOD)]);
    fs::write(tree.root().join(MAIN), b"version = 2\n# \xff\n").unwrap();
    tree.runs("1.7.0", "");
    let root = rustix::process::geteuid().is_root();
    let expected: &[&str] = if root { &["client.file_broken"] } else { &[] };
    assert_eq!(tree.codes(), expected);
    tree.write(MAIN, "version = 2\n");
    assert_eq!(tree.codes(), ["containerd.no_config_path"]);
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let tree = Tree::of(&[(MAIN, "version = \n"), (HOSTS, "[host\n")]);
    assert_eq!(tree.codes(), ["client.file_broken", "client.file_broken"]);
    let tree = Tree::of(&[
        (
            MAIN,
            "imports = ['self.toml', 'config.toml', '/nowhere/*.toml']\n",
        ),
        ("etc/containerd/self.toml", "imports = ['config.toml']\n"),
    ]);
    assert!(tree.codes().is_empty());
    assert_eq!(Daemon::all(tree.root())[0].read(tree.root()).files.len(), 2);
}
