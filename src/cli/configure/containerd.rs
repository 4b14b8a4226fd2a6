//! Configures containerd: writes the `hosts.toml` files, the mirror's certificates that they name, and the mirror's
//! list of registries.

use std::fs::{self, DirBuilder};
use std::net::SocketAddrV4;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::Report;
use super::request::{Request, Wanted, names};
use crate::cli::wired;
use crate::client::refusal::unchanged;
use crate::client::{Change, Form};
use crate::config::Env;
use crate::error::Error;
use crate::host::Host;
use crate::mirror::{self, Hosts};
use crate::private;
use crate::shown::quoted;
use crate::trusted::{FileError, exists};

/// Wires containerd to the mirror, or unwires it.
pub(super) fn containerd(
    request: &Request,
    matches: &ArgMatches,
    is_undo: bool,
    env: &Env,
) -> Result<Report, Error> {
    let config = request.config.clone();
    let config = config.unwrap_or_else(|| CERTS_D.into());
    let address = matches.get_one::<SocketAddrV4>("mirror").copied();
    let dir = matches.get_one::<PathBuf>("mirror-dir").cloned();
    let wiring = Wiring {
        url: format!(
            "https://{}",
            address.map_or_else(|| mirror::ADDRESS.to_owned(), |address| address.to_string())
        ),
        dir: dir.unwrap_or_else(|| mirror::DIR.into()),
        is_yaml: config.extension().is_some_and(|end| end == "yaml"),
        config,
        dry_run: request.dry_run,
    };
    if is_undo {
        return wiring.undo();
    }
    if address.is_some_and(|address| !address.ip().is_loopback() || address.port() == 0) {
        let cause = "the mirror is on 127.0.0.1, at a port that is known";
        return Err(unchanged(
            Path::new("--mirror"),
            cause,
            "give 127.0.0.1:PORT",
        ));
    }
    if !wiring.dir.is_absolute() {
        let cause = "it is not an absolute path";
        return Err(unchanged(
            Path::new("--mirror-dir"),
            cause,
            "give the whole path, from /",
        ));
    }
    if let Some(file) = wired::of_kubelet().next().filter(|_| !request.force) {
        return Err(unchanged(&file, OF_KUBELET, OF_KUBELET_FIX));
    }
    let wanted = request.wanted(env)?;
    wiring.make(wanted.as_deref())
}

struct Wiring {
    /// containerd's certs.d, or k3s' registries.yaml.
    config: PathBuf,
    is_yaml: bool,
    url: String,
    dir: PathBuf,
    dry_run: bool,
}

impl Wiring {
    /// Makes the change; `None` means every registry.
    fn make(&self, wanted: Option<&[Wanted]>) -> Result<Report, Error> {
        let hosts = wanted.map(Wanted::hosts);
        let mut report = Report {
            path: self.config.display().to_string(),
            ..Report::default()
        };
        let mut changes = Vec::new();
        let places = hosts.as_ref().map_or_else(
            || vec![("_default".to_owned(), None)],
            |hosts| hosts.iter().map(|host| self.place(host)).collect(),
        );
        for (name, server) in places.iter().filter(|_| !self.is_yaml) {
            let path = self.config.join(name).join(FILE);
            let change = Change::mirror(&path, server.as_deref(), &self.url, &self.dir)?;
            report.diff += &change.diff();
            report.lines.extend(self.passed_over(&path, name)?);
            changes.push(change);
        }
        changes.retain(|change| !change.is_nothing());
        let new_certificates = !mirror::is_good(&self.dir);
        let known = Hosts::read(&self.dir).map_err(|fault| fault.problem(PART))?;
        let mut listed = known.clone();
        match &hosts {
            Some(hosts) => listed.these.extend(hosts.iter().cloned()),
            None => listed.all = true,
        }
        report.changed = new_certificates || listed != known || !changes.is_empty();
        if report.changed && !self.dry_run {
            let write = || -> Result<(), FileError> {
                make_dir(&self.dir)?;
                if listed != known {
                    private::replace(&self.dir, mirror::HOSTS, listed.text().as_bytes())?;
                }
                Ok(())
            };
            write().map_err(|fault| fault.problem(PART))?;
            if new_certificates {
                for (name, text) in mirror::make()? {
                    let written = private::replace(&self.dir, name, text.as_bytes());
                    written.map_err(|fault| fault.problem(PART))?;
                }
            }
            for change in &changes {
                change.make()?;
            }
        }
        let of = hosts.map_or("every registry".to_owned(), |hosts| names(&hosts));
        self.tell(&mut report, new_certificates, &of, &places);
        Ok(report)
    }

    fn tell(
        &self,
        report: &mut Report,
        new_certificates: bool,
        of: &str,
        places: &[(String, Option<String>)],
    ) {
        if !report.changed {
            report.lines.push(format!(
                "nothing to do: containerd asks the mirror for {of} already"
            ));
            return;
        }
        if new_certificates {
            let made = if self.dry_run { "would be" } else { "are" };
            report.lines.push(format!(
                "the mirror's certificates {made} made in {}; if it runs: systemctl restart beta9-mirror.service",
                self.dir.display()
            ));
        }
        if self.is_yaml
            || K3S
                .iter()
                .any(|dir| matches!(exists(Path::new(dir)), Ok(true)))
        {
            report.lines.extend(self.registries_yaml(places));
        }
        if self.dry_run {
            report
                .lines
                .push("nothing was changed (--dry-run)".to_owned());
            return;
        }
        if !self.is_yaml {
            report.lines.extend([
                format!("containerd now asks the mirror for {of}"),
                "containerd reads this if its configuration names it, and ctr with an option:"
                    .to_owned(),
                format!("  config_path = \"{}\"", report.path),
                format!("  ctr images pull --hosts-dir {} IMAGE", report.path),
            ]);
        }
        let other = |flag: &str, path: &Path, usual: &str| {
            let is_usual = path == Path::new(usual);
            let path = path.display().to_string();
            (!is_usual).then(|| format!(" --{flag} {}", quoted(&path)))
        };
        let config = other("config", &self.config, CERTS_D);
        let dir = other("mirror-dir", &self.dir, mirror::DIR);
        let places = config.into_iter().chain(dir).collect::<String>();
        report.lines.extend([
            "start the mirror with:".to_owned(),
            "  systemctl enable --now beta9-mirror.socket".to_owned(),
            format!("undo: docker-credential-beta9 configure containerd{places} --undo"),
        ]);
    }

    /// The text for registries.yaml, from which k3s and RKE2 write containerd's files when they start
    /// (<https://docs.k3s.io/installation/private-registry>).
    fn registries_yaml(&self, places: &[(String, Option<String>)]) -> Vec<String> {
        let dir = self.dir.display();
        let mut lines = vec![
            "put this into the registries.yaml of k3s or RKE2, and restart it:".to_owned(),
            "  mirrors:".to_owned(),
        ];
        for (name, _) in places {
            let name = if name == "_default" { "*" } else { name };
            lines.push(format!("    \"{name}\":"));
            lines.push(format!("      endpoint: [\"{}\"]", self.url));
        }
        lines.extend([
            "  configs:".to_owned(),
            format!("    \"{}\":", self.url.trim_start_matches("https://")),
            "      tls:".to_owned(),
            format!("        ca_file: {dir}/ca.crt"),
            format!("        cert_file: {dir}/client.crt"),
            format!("        key_file: {dir}/client.key"),
        ]);
        lines
    }

    /// A registry's directory, for which containerd has two spellings, and the registry's own URL.
    fn place(&self, host: &Host) -> (String, Option<String>) {
        let name = host.as_str().to_owned();
        let other = host.port().map(|port| format!("{}_{port}_", host.name()));
        let other = other.filter(|other| matches!(exists(&self.config.join(other)), Ok(true)));
        let server = if host.is_docker_hub() {
            Host::DOCKER_HUB_REGISTRY
        } else {
            host.as_str()
        };
        (other.unwrap_or(name), Some(format!("https://{server}")))
    }

    /// Files that containerd ignores once a new hosts.toml exists.
    fn passed_over(&self, path: &Path, name: &str) -> Result<Vec<String>, Error> {
        let there = |path: &Path| exists(path).map_err(|fault| fault.problem(PART));
        if there(path)? {
            return Ok(Vec::new());
        }
        let mut notes = Vec::new();
        let default = self.config.join("_default").join(FILE);
        if name != "_default" && there(&default)? {
            notes.push(format!(
                "note: containerd no longer uses {} for {name}",
                default.display()
            ));
        }
        let files = path.parent().and_then(|dir| fs::read_dir(dir).ok());
        let mut files = files
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| file.path());
        if files.any(|file| {
            file.extension()
                .is_some_and(|end| end == "crt" || end == "cert")
        }) {
            notes.push(format!(
                "note: containerd reads no certificates beside a hosts.toml; add ca and client to {}",
                path.display()
            ));
        }
        Ok(notes)
    }

    fn undo(&self) -> Result<Report, Error> {
        let mut report = Report {
            path: self.config.display().to_string(),
            ..Report::default()
        };
        let entries = fs::read_dir(&self.config).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path().join(FILE)).collect();
        files.sort();
        for path in files {
            let Some(change) = Change::undo(&path, Form::Hosts)? else {
                continue;
            };
            report.diff += &change.diff();
            if !self.dry_run {
                change.make_undone()?;
            }
            report.changed |= !change.is_nothing();
            report
                .lines
                .extend(super::undo::told(&change, self.dry_run));
        }
        let all = mirror::FILES.into_iter().chain([mirror::HOSTS]);
        let mut is_made = false;
        for name in all {
            let path = self.dir.join(name);
            is_made |= exists(&path).map_err(|fault| fault.problem(PART))?;
            if !self.dry_run {
                private::remove(&self.dir, name).map_err(|fault| fault.problem(PART))?;
            }
        }
        if is_made {
            report.changed = true;
            let dir = self.dir.display();
            let removed = if self.dry_run { "would be" } else { "are" };
            report.lines.extend([
                format!(
                    "the mirror's certificates and its list of hosts {removed} removed from {dir}"
                ),
                "stop the mirror with:".to_owned(),
                "  systemctl disable --now beta9-mirror.socket beta9-mirror.service".to_owned(),
            ]);
        }
        if !self.dry_run {
            // If other files are left, the directory stays.
            _ = fs::remove_dir(self.dir.join("tmp"));
            _ = fs::remove_dir(&self.dir);
        }
        if report.lines.is_empty() {
            let line = "nothing to undo: no configuration of containerd names the mirror";
            report.lines.push(line.to_owned());
        } else if self.dry_run {
            report
                .lines
                .push("nothing was changed (--dry-run)".to_owned());
        }
        Ok(report)
    }
}

/// Makes the mirror's directory, which only root can read. Its parents must be readable for other users, because this
/// program's configuration is there.
fn make_dir(dir: &Path) -> Result<(), FileError> {
    if let Some(above) = dir.parent() {
        // If this fails, the next step reports why.
        _ = DirBuilder::new().recursive(true).mode(0o755).create(above);
    }
    private::make_dir(dir)
}

const CERTS_D: &str = "/etc/containerd/certs.d";
const FILE: &str = "hosts.toml";
const K3S: [&str; 2] = ["/etc/rancher/k3s", "/etc/rancher/rke2"];
const PART: &str = "mirror";
const OF_KUBELET: &str = "kubelet asks this helper already, and knows whose pod pulls; a mirror answers for the whole node, so that pods' own pull secrets no longer count";
const OF_KUBELET_FIX: &str = "for ctr alone: docker-credential-beta9 with ctr images pull IMAGE; --force sets the mirror up all the same";
