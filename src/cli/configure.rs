//! `configure docker|podman|kubelet|containerd`: adds this helper to the client's own configuration, and removes it
//! again.

mod containerd;
mod errors;
mod kubelet;
mod plan;
mod request;
mod undo;

use std::fmt::Write;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Serialize;

use super::mirror::mirror_dir;
use super::rows::fold;
use super::style::Style;
use super::{flag, option, print};
use crate::Io;
use crate::client::{Change, PROGRAM, Put, SYSTEM_PATH, Scope, runnable_helper};
use crate::config::Env;
use crate::error::Error;
use containerd::containerd;
pub(super) use kubelet::files;
use request::Request;
use undo::undo;

pub(super) fn command() -> Command {
    let file = |name: &'static str, value: &'static str, help: &'static str| {
        option(name, value, help).value_parser(value_parser!(PathBuf))
    };
    let client = ["docker", "podman", "kubelet", "containerd"];
    let client = Arg::new("client").value_parser(PossibleValuesParser::new(client));
    let client = client.value_name("CLIENT").required(true);
    let mirror = "Where containerd finds this helper's mirror";
    let mirror = option("mirror", "ADDRESS", mirror).default_value(crate::mirror::ADDRESS);
    Command::new("configure")
        .about("Wire a client to this helper in its configuration file, or undo that")
        .long_about(LONG)
        .arg(client.help("podman stands for buildah, skopeo and CRI-O too"))
        .arg(
            option("hosts", "HOST,…", "The registries; without this and --all, those that the store lists; for kubelet also all that this helper knows")
                .value_delimiter(',')
                .conflicts_with("all"),
        )
        .arg(file(
            "config",
            "PATH",
            "kubelet's CredentialProviderConfig, or its directory [/etc/kubernetes/credential-provider-config.yaml; with k3s, RKE2 or Rancher's agent /var/lib/rancher/credentialprovider/config.yaml]; containerd's certs.d [/etc/containerd/certs.d], or the registries.yaml of k3s, to which nothing is written",
        ))
        .arg(mirror.value_parser(value_parser!(SocketAddrV4)))
        .arg(mirror_dir())
        .arg(file("bin-dir", "DIR", "Where kubelet looks for providers; without it, where the helper is"))
        .arg(flag("all", "Every registry: credsStore, or credential-helpers of registries.conf; not for kubelet"))
        .arg(flag("system", "The whole machine instead of this user; not for kubelet"))
        .arg(flag("force", "Replace another helper"))
        .arg(flag("dry-run", "Show what would change, and change nothing"))
        .arg(flag("undo", "Remove everything that names this helper, regardless of --hosts, --all and --force"))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let request = Request::of(matches)?;
    let report = match (request.client.as_str(), matches.get_flag("undo")) {
        ("containerd", is_undo) => containerd(&request, matches, is_undo, env)?,
        (_, true) => undo(&request, env)?,
        (_, false) => configure(&request, env)?,
    };
    if matches.get_flag("json") {
        return print(io.out, report.json(request) + "\n");
    }
    let text = report.human(Style::of(io.out, env));
    print(io.out, text)
}

fn configure(request: &Request, env: &Env) -> Result<Report, Error> {
    let plan = Plan::of(request, env)?;
    let (path, place) = match (&plan.helper_dir, request.scope) {
        (Some(dir), _) => (dir.into(), format!("in {}", dir.display())),
        (None, Scope::User) => (env.search_path(), "on your PATH".to_owned()),
        (None, Scope::System) => (
            SYSTEM_PATH.into(),
            format!("on the system's PATH ({SYSTEM_PATH})"),
        ),
    };
    // The program comes first, because kubelet does not start with the file but without the program.
    let put = plan.put.as_ref().filter(|put| !put.is_there);
    if let Some(put) = put.filter(|_| !request.dry_run) {
        put.make()?;
    }
    if put.is_none() || !request.dry_run {
        runnable_helper(&path, env.home().as_deref(), &place)?;
    }
    let mut report = Report::of(&plan.change.path);
    report.add(&plan.change);
    report.changed |= put.is_some();
    if !plan.change.is_nothing() && !request.dry_run {
        plan.change.make()?;
    }
    if let Some(put) = put {
        let is = if request.dry_run { "would be" } else { "is" };
        let program = put.program.display();
        report.say(format!("the program {is} copied to {program}"));
    }
    let name = &request.client;
    report.say(match (report.changed, request.dry_run) {
        (false, _) => format!(
            "nothing to do: {name} asks this helper already, by {}",
            report.path
        ),
        (true, true) => UNCHANGED.to_owned(),
        (true, false) => format!("{name} now asks this helper for {}", plan.registries),
    });
    if report.changed && !request.dry_run {
        let mut places = String::new();
        if request.scope == Scope::System {
            places += " --system";
        }
        if let Some(path) = &request.config {
            _ = write!(places, " --config {}", path.display());
        }
        report.say(format!("undo: {PROGRAM} configure {name}{places} --undo"));
    }
    report.lines.extend(plan.notes);
    Ok(report)
}

/// The planned change of one file.
struct Plan {
    change: Change,
    /// The registries that the client will ask for, in words.
    registries: String,
    /// The directory where the client looks for the helper, if not the PATH.
    helper_dir: Option<PathBuf>,
    /// A copy of the program, which is installed first.
    put: Option<Put>,
    /// Remarks for the user.
    notes: Vec<String>,
}

/// The result.
#[derive(Default, Serialize)]
struct Report {
    client: String,
    #[serde(rename = "file")]
    path: String,
    changed: bool,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_change: Option<bool>,
    diff: String,
    #[serde(rename = "notes")]
    lines: Vec<String>,
}

impl Report {
    fn of(path: &Path) -> Self {
        let path = path.display().to_string();
        Self {
            path,
            ..Self::default()
        }
    }

    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Shows a change.
    fn add(&mut self, change: &Change) {
        self.changed |= !change.is_nothing();
        self.diff += &change.diff();
    }

    fn human(&self, style: Style) -> String {
        let painted = |line: &str| match line.as_bytes().first() {
            Some(b'+') => style.good(line).to_string(),
            Some(b'-') => style.bad(line).to_string(),
            _ => line.to_owned(),
        };
        // Commands and paths are for copying, so they are not wrapped.
        let whole = |line: &str| line.starts_with(['/', ' ']) || line.starts_with("undo: ");
        let folded = self.lines.iter().map(|line| {
            if whole(line) {
                line.clone()
            } else {
                fold(line)
            }
        });
        let lines: Vec<String> = self.diff.lines().map(painted).chain(folded).collect();
        lines.join("\n") + "\n"
    }

    fn json(mut self, request: Request) -> String {
        (self.client, self.dry_run) = (request.client, request.dry_run);
        self.would_change = self.dry_run.then_some(self.changed);
        self.changed &= !self.dry_run;
        for line in &mut self.lines {
            *line = line.replace("\n  ", " ");
        }
        serde_json::to_string(&self).unwrap_or_default()
    }
}

const UNCHANGED: &str = "nothing was changed (--dry-run)";
const LONG: &str = "\
Names this helper in a client's configuration file, so that the client asks it. Order, comments and everything else in the \
file stay, as do symbolic links, mode and owner; JSON is written as docker writes it, with tabs. The change is shown as a \
diff, in which secrets are hidden.

docker   ~/.docker/config.json or $DOCKER_CONFIG/config.json: credHelpers, or with --all credsStore; with --system root's. \
Docker Hub gets both its keys, and a registry the name as given too. buildx, crane, oras, nerdctl and CLIP read this file too.
podman   ~/.config/containers/auth.json or $REGISTRY_AUTH_FILE: credHelpers, or with --all credential-helpers of \
registries.conf, before the auth files, so that podman login stores here; --system needs --all. buildah, skopeo and CRI-O \
read these files too.
kubelet  the CredentialProviderConfig that its flag names (--config), YAML or JSON, or a directory of them: an entry with \
the images of --hosts, or of all registries that this helper knows, that the store lists and that rules name without a *. \
The two flags that kubelet needs are printed. k3s, RKE2 and Rancher's agent need none: on such a node the program is copied \
into /var/lib/rancher/credentialprovider/bin and the entry written beside it, and the command that restarts the service is \
printed; run it again after an update of the program.
containerd  HOST/hosts.toml in its certs.d for each of --hosts, or with --all one for every registry: containerd, which runs no \
helper, asks this helper's mirror first. Its certificates are made in --mirror-dir. A mirror answers for the whole node, so \
that the pull secrets of pods no longer count: where kubelet asks this helper, nothing is changed without --force.

Nothing is changed if the helper is not on the PATH that the client searches, since every pull would fail; if the file \
can't be read or is read-only; or if it names another helper, unless --force is given.

--undo removes what names this helper and restores what --force replaced, which NAME.beta9-undo beside the file records. To \
undo a command, run it again with --undo added.

--json prints client, file, changed, dry_run, diff and notes. With --dry-run, changed is false and would_change says whether \
there is anything to change.";
const HELP: &str = "\
Exit status: 0 when the client asks this helper, or with --undo no longer does; 1 when nothing was changed, with the reason.

Example: docker-credential-beta9 configure docker --hosts ghcr.io,docker.io";
