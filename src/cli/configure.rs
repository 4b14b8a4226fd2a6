//! `configure docker|podman|kubelet`: names this helper in the client's own configuration, and takes it out again.

mod plan;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::style::Style;
use super::unwritable;
use crate::Io;
use crate::client::{SYSTEM_PATH, Scope, Undo, runnable_helper};
use crate::config::{Config, Env};
use crate::error::{Error, Problem};
use crate::host::{Host, ServerUrl};
use crate::json::ObjectWriter;
use crate::resolver::Resolver;
use plan::Plan;

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let file = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(clap::value_parser!(PathBuf)).help(help)
    };
    Command::new("configure")
        .about("Wire a client: name this helper in its configuration file, or undo that")
        .long_about(LONG)
        .arg(
            Arg::new("client")
                .value_name("CLIENT")
                .required(true)
                .value_parser(PossibleValuesParser::new(["docker", "podman", "kubelet"]))
                .help("podman stands for buildah, skopeo and CRI-O too"),
        )
        .arg(
            Arg::new("hosts")
                .long("hosts")
                .value_name("HOST,…")
                .value_delimiter(',')
                .conflicts_with("all")
                .help("The registries; without this and --all, those that the store lists"),
        )
        .arg(file(
            "config",
            "FILE",
            "kubelet's CredentialProviderConfig [/etc/kubernetes/credential-provider-config.yaml]",
        ))
        .arg(file("bin-dir", "DIR", "Where kubelet looks for providers; without it, where the helper is"))
        .arg(flag("all", "Every registry: credsStore, or credential-helpers of registries.conf"))
        .arg(flag("system", "The whole machine instead of this user"))
        .arg(flag("force", "Take the place of another helper"))
        .arg(flag("dry-run", "Show what would change, and change nothing"))
        .arg(flag("undo", "Take back what earlier runs changed").conflicts_with_all(["hosts", "all", "force"]))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let request = Request::of(matches, env)?;
    let report = if matches.get_flag("undo") { undo(&request, env)? } else { configure(&request, env)? };
    let text = if matches.get_flag("json") { report.json(&request) } else { report.human(Style::of(io.out, env)) };
    io.out.write_all(text.as_bytes()).map_err(unwritable)
}

/// What is asked for.
pub(super) struct Request {
    client: String,
    scope: Scope,
    registries: Registries,
    force: bool,
    dry_run: bool,
    /// A kubelet's file, and the directory in which it looks for providers.
    config: Option<PathBuf>,
    bin_dir: Option<PathBuf>,
}

enum Registries {
    All,
    These(Vec<Host>),
    Stored,
}

impl Request {
    fn of(matches: &ArgMatches, _env: &Env) -> Result<Self, Error> {
        let registries = match matches.get_many::<String>("hosts") {
            _ if matches.get_flag("all") => Registries::All,
            Some(hosts) => Registries::These(hosts.map(|text| host(text)).collect::<Result<_, _>>()?),
            None => Registries::Stored,
        };
        Ok(Self {
            client: matches.get_one::<String>("client").cloned().unwrap_or_default(),
            scope: if matches.get_flag("system") { Scope::System } else { Scope::User },
            registries,
            force: matches.get_flag("force"),
            dry_run: matches.get_flag("dry-run"),
            config: path(matches, "config")?,
            bin_dir: path(matches, "bin-dir")?,
        })
    }

    /// The registries by name; `None` for all there are.
    fn hosts(&self, env: &Env) -> Result<Option<Vec<Host>>, Error> {
        match &self.registries {
            Registries::All => Ok(None),
            Registries::These(hosts) => Ok(Some(hosts.clone())),
            Registries::Stored => stored(env).map(Some),
        }
    }
}

/// A path of the kubelet's, which is not started where this is.
fn path(matches: &ArgMatches, name: &str) -> Result<Option<PathBuf>, Error> {
    let path = matches.get_one::<PathBuf>(name).cloned();
    if matches.get_one::<String>("client").is_none_or(|client| client != "kubelet") && path.is_some() {
        let part = format!("--{name}");
        return Err(Problem::new(part, "it goes with kubelet").fix("leave it out, or configure kubelet").failed());
    }
    match path {
        Some(path) if !path.is_absolute() => Err(Problem::new(format!("--{name}"), "it is not an absolute path")
            .fix("give the whole path, from /")
            .failed()),
        path => Ok(path),
    }
}

fn host(text: &str) -> Result<Host, Error> {
    let parsed = match ServerUrl::parse(text.trim().as_bytes()) {
        Ok(ServerUrl::Registry { host, path, .. }) if path.is_empty() || host.is_docker_hub() => Ok(host),
        Ok(_) => Err("clients name helpers for whole registries"),
        Err(rejected) => Err(rejected.0),
    };
    parsed.map_err(|cause| {
        let part = format!("--hosts {}", text.escape_debug());
        Problem::new(part, cause).fix("give hosts such as ghcr.io or registry.example.com:5000").failed()
    })
}

fn stored(env: &Env) -> Result<Vec<Host>, Error> {
    let lines = Resolver::new(Config::load(env)?)?.list(&mut |_| {})?;
    let mut hosts: Vec<Host> = Vec::new();
    for host in lines.keys().filter_map(|url| ServerUrl::parse(url.as_bytes()).ok()?.host().cloned()) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() {
        return Err(Problem::new("configure", "the store has no registries yet")
            .fix("name them with --hosts, or give --all")
            .failed());
    }
    Ok(hosts)
}

fn configure(request: &Request, env: &Env) -> Result<Report, Error> {
    let plan = Plan::of(request, env)?;
    let (path, place) = match (&plan.helper_dir, request.scope) {
        (Some(dir), _) => (dir.clone().into_os_string(), format!("in {}", dir.display())),
        (None, Scope::User) => (env.search_path(), "on your PATH".to_owned()),
        (None, Scope::System) => (OsString::from(SYSTEM_PATH), format!("on the system's PATH ({SYSTEM_PATH})")),
    };
    runnable_helper(&path, &place)?;
    let mut report = Report { path: plan.change.path.clone(), ..Report::default() };
    report.changed = !plan.change.is_nothing();
    if report.changed {
        report.diff = plan.change.diff();
        if !request.dry_run {
            plan.change.make()?;
        }
    }
    let name = &request.client;
    report.lines.push(match (report.changed, request.dry_run) {
        (false, _) => format!("nothing to do: {name} asks this helper already, by {}", report.path.display()),
        (true, true) => "nothing was changed (--dry-run)".to_owned(),
        (true, false) => format!("{name} now asks this helper for {}", plan.registries),
    });
    if report.changed && !request.dry_run {
        let system = if request.scope == Scope::System { " --system" } else { "" };
        let config = request.config.as_ref().map_or_else(String::new, |path| format!(" --config {}", path.display()));
        report.lines.push(format!("undo: docker-credential-beta9 configure {name}{system}{config} --undo"));
    }
    report.lines.extend(plan.notes);
    Ok(report)
}

fn undo(request: &Request, env: &Env) -> Result<Report, Error> {
    let mut report = Report::default();
    for path in Plan::files(request, env)? {
        let Some(undo) = Undo::of(&path)? else { continue };
        report.diff += &if undo.is_nothing() { String::new() } else { undo.diff() };
        if !request.dry_run {
            undo.make()?;
        }
        let file = path.display();
        report.changed |= !undo.is_nothing();
        report.lines.push(match (undo.is_nothing(), undo.exact, undo.removes()) {
            (true, ..) => format!("{file} is what it was already"),
            (_, true, false) => format!("{file} is what it was, to the byte"),
            (_, true, true) => format!("{file} is removed: there was none"),
            (_, false, _) => format!("{file} was changed since; only what names this helper was taken out"),
        });
        for left in &undo.left {
            report.lines.push(format!("{file}: {left} is not this helper's any more, and was left"));
        }
        report.path = path;
    }
    if report.lines.is_empty() {
        report.lines.push(format!("nothing to undo: no configuration of {} was changed", request.client));
    }
    if request.dry_run {
        report.lines = vec!["nothing was changed (--dry-run)".to_owned()];
    }
    Ok(report)
}

/// What came of it.
#[derive(Default)]
struct Report {
    path: PathBuf,
    changed: bool,
    diff: String,
    lines: Vec<String>,
}

impl Report {
    fn human(&self, style: Style) -> String {
        let painted = |line: &str| match line.as_bytes().first() {
            Some(b'+') => style.good(line).to_string(),
            Some(b'-') => style.bad(line).to_string(),
            _ => line.to_owned(),
        };
        let lines: Vec<String> = self.diff.lines().map(painted).chain(self.lines.iter().cloned()).collect();
        lines.join("\n") + "\n"
    }

    fn json(&self, request: &Request) -> String {
        let mut out = ObjectWriter::with_capacity(512);
        out.text("client", &request.client).text("file", &self.path.display().to_string());
        out.flag("changed", self.changed && !request.dry_run).flag("dry_run", request.dry_run).text("diff", &self.diff);
        out.texts("notes", self.lines.iter().map(String::as_str));
        out.finish().to_string()
    }
}

const LONG: &str = "\
Names this helper in a client's configuration file, so that the client asks it. The file keeps its order, its layout, its \
comments and all that others wrote into it; symbolic links, mode and owner stay. The change is shown as a diff, in which \
secrets are hidden.

docker   ~/.docker/config.json or $DOCKER_CONFIG/config.json: credHelpers, or with --all credsStore; with --system root's. \
Docker Hub gets both its keys. buildx, crane, oras, nerdctl and CLIP read this file too.
podman   ~/.config/containers/auth.json or $REGISTRY_AUTH_FILE: credHelpers, or with --all credential-helpers of \
registries.conf; --system needs --all. buildah, skopeo and CRI-O read these files too.
kubelet  the CredentialProviderConfig that its flag names (--config), YAML or JSON: an entry with the images of the registries that this helper knows, or of --hosts. The two flags that kubelet needs are printed.

Nothing is changed when the helper is not on the PATH that the client searches, since every pull would fail then; when \
the file cannot be read or is read-only; and when another helper is there already, unless --force is given.

How to undo it is noted beside the file, in NAME.beta9-undo: the changed places alone, no copy of what else is in the file. \
--undo restores the file to the byte while nobody else has changed it, and otherwise takes out only what names this helper.";
const HELP: &str = "\
Exit status: 0 when the client asks this helper in the end, or with --undo does not any more; 1 when nothing was changed, \
with the reason.

Example: docker-credential-beta9 configure docker --hosts ghcr.io,docker.io";
