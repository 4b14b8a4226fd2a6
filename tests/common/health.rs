//! The output of `doctor` for a node, before and after its fix was run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use beta9_credential::json::{self, Object, Value};

use super::{Answer, BINARY, Node};

/// What `doctor --json` says.
#[derive(Debug)]
pub struct Health {
    pub status: i32,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: String,
    pub group: String,
    pub state: String,
    pub what: String,
    pub command: Option<String>,
    pub fix: Option<String>,
}

impl Health {
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.err, "");
        let object = json::parse_object(answer.out.as_bytes())
            .unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        let Some(Value::Array(findings)) = object.get("findings") else {
            panic!("{answer:?}")
        };
        let text =
            |object: &Object, name: &str| object.text(name).map(|text| text.expose().to_owned());
        let finding = |value: &Value| {
            let Value::Object(object) = value else {
                panic!("{answer:?}")
            };
            let must = |name| text(object, name).unwrap();
            let (command, fix) = (text(object, "command"), text(object, "fix"));
            Finding {
                code: must("code"),
                group: must("part"),
                state: must("state"),
                what: must("cause"),
                command,
                fix,
            }
        };
        let health = Self {
            status: answer.status,
            findings: findings.iter().map(finding).collect(),
        };
        assert_eq!(
            health.status == 1,
            health.in_state("broken").count() > 0,
            "{health:?}"
        );
        assert_eq!(
            matches!(object.get("healthy"), Some(Value::Bool(true))),
            health.status == 0
        );
        health
    }

    pub fn in_state(&self, state: &str) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.state == state)
    }

    /// The only broken finding.
    pub fn broken(&self) -> &Finding {
        let broken: Vec<_> = self.in_state("broken").collect();
        assert_eq!(broken.len(), 1, "{self:#?}");
        broken[0]
    }

    /// The only warning that contains this text.
    pub fn warning(&self, text: &str) -> &Finding {
        let mut warnings = self
            .in_state("warning")
            .filter(|finding| finding.what.contains(text));
        let warning = warnings
            .next()
            .unwrap_or_else(|| panic!("no warning of \"{text}\": {self:#?}"));
        assert!(warnings.next().is_none(), "{self:#?}");
        warning
    }

    #[track_caller]
    pub fn assert_well(&self) {
        assert_eq!(
            self.in_state("broken")
                .chain(self.in_state("warning"))
                .collect::<Vec<_>>(),
            Vec::<&Finding>::new()
        );
    }

    pub fn says(&self, group: &str, state: &str, what: &str) -> bool {
        self.findings.iter().any(|one| {
            (one.group.as_str(), one.state.as_str()) == (group, state) && one.what.contains(what)
        })
    }
}

pub fn doctor(node: &Node) -> Health {
    Health::of(&node.run(&["doctor", "--json"], ""))
}

/// The output of `doctor` in the same shell, after the command that it named.
pub fn fixed_by(node: &Node, finding: &Finding) -> Health {
    let command = finding
        .command
        .as_ref()
        .unwrap_or_else(|| panic!("no command: {finding:?}"));
    let mut shell = node.command_of(
        "/bin/sh",
        &[
            "-c",
            &format!("{{ {command}; }} >&2 || exit 9\nexec {BINARY} doctor --json"),
        ],
    );
    let output = shell.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(9), "{command}: {errors}");
    let out = String::from_utf8(output.stdout).unwrap();
    Health::of(&Answer {
        status: output.status.code().unwrap(),
        out,
        err: String::new(),
    })
}

/// A healthy node: the helper is on its PATH and wired for every registry.
pub fn healthy_node() -> Node {
    wired(
        with_path(Node::new(), true),
        r#"{"credsStore":"beta9","credHelpers":{"docker.io":"beta9","https://index.docker.io/v1/":"beta9"}}"#,
    )
}

/// With a PATH of its own: a directory for the helper, and one with the tools that fixes need.
pub fn with_path(node: Node, installed: bool) -> Node {
    let [bin, tools] = ["bin", "tools"].map(|name| node.home().join(name));
    for dir in [&bin, &tools] {
        fs::create_dir(dir).unwrap();
    }
    for tool in ["ln", "chmod", "mv", "rm", "sed", "install"] {
        symlink(program(tool), tools.join(tool)).unwrap();
    }
    if installed {
        symlink(BINARY, bin.join("docker-credential-beta9")).unwrap();
    }
    node.with("PATH", format!("{}:{}", bin.display(), tools.display()))
}

pub fn program(name: &str) -> PathBuf {
    ["/usr/bin", "/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
        .unwrap()
}

pub fn wired(node: Node, docker: &str) -> Node {
    fs::create_dir_all(node.home().join(".docker")).unwrap();
    fs::write(node.home().join(".docker/config.json"), docker).unwrap();
    // Root's podman would look into /run else, where the machine's own file is.
    let session = node.home().to_str().unwrap().to_owned();
    node.with("XDG_RUNTIME_DIR", session)
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

impl Node {
    pub fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let helper = self.command(args);
        let mut command = Command::new(program);
        command.args(args).env_clear();
        command.envs(
            helper
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command
    }

    pub fn variable(&self, name: &str) -> String {
        let command = self.command(&[]);
        let mut all = command.get_envs();
        all.find(|(known, _)| *known == name)
            .unwrap()
            .1
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }
}
