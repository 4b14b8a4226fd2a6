//! Configures containerd: writes the `hosts.toml` files, the mirror's certificates that they name, and the mirror's
//! list of registries.

mod told;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::net::SocketAddrV4;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::request::{Request, Wanted, names};
use super::{Report, UNCHANGED};
use crate::cli::mirror::dir_of;
use crate::cli::wired;
use crate::client::refusal::unchanged;
use crate::client::{Change, Form};
use crate::config::Env;
use crate::error::Error;
use crate::host::Host;
use crate::mirror::{self, Hosts};
use crate::private;
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
    let address = matches.get_one::<SocketAddrV4>("mirror");
    let url = address.map_or_else(|| mirror::ADDRESS.to_owned(), ToString::to_string);
    let wiring = Wiring {
        url: format!("https://{url}"),
        dir: dir_of(matches),
        is_yaml: config.extension().is_some_and(|end| end == "yaml"),
        config,
        dry_run: request.dry_run,
    };
    if is_undo {
        return wiring.undo();
    }
    let wrong = |flag: &str, cause, fix| Err(unchanged(Path::new(flag), cause, fix));
    if address.is_some_and(|address| !address.ip().is_loopback() || address.port() == 0) {
        let cause = "the mirror is on 127.0.0.1, at a port that is known";
        return wrong("--mirror", cause, "give 127.0.0.1:PORT");
    }
    if !wiring.dir.is_absolute() {
        let cause = "it is not an absolute path";
        return wrong("--mirror-dir", cause, "give the whole path, from /");
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
        let mut report = Report::of(&self.config);
        let mut changes = Vec::new();
        let places = match &hosts {
            Some(hosts) => hosts.iter().map(|host| self.place(host)).collect(),
            None => vec![("_default".to_owned(), None)],
        };
        for (name, server) in places.iter().filter(|_| !self.is_yaml) {
            let path = self.config.join(name).join(FILE);
            let change = Change::mirror(&path, server.as_deref(), &self.url, &self.dir)?;
            report.add(&change);
            report.lines.extend(self.passed_over(&path, name)?);
            changes.push(change);
        }
        changes.retain(|change| !change.is_nothing());
        let new_certificates = !mirror::is_good(&self.dir);
        let known = Hosts::read(&self.dir).map_err(of_mirror)?;
        let mut listed = known.clone();
        match &hosts {
            Some(hosts) => listed.these.extend(hosts.iter().cloned()),
            None => listed.all = true,
        }
        report.changed |= new_certificates || listed != known;
        if report.changed && !self.dry_run {
            make_dir(&self.dir).map_err(of_mirror)?;
            if listed != known {
                self.write(mirror::HOSTS, &listed.text())?;
            }
            if new_certificates {
                for (name, text) in mirror::make()? {
                    self.write(name, &text)?;
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

    /// Writes a file of the mirror's.
    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        private::replace(&self.dir, name, text.as_bytes()).map_err(of_mirror)
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
        let there = |path: &Path| exists(path).map_err(of_mirror);
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
        let mut files = files.into_iter().flatten().flatten();
        let is_certificate = |end: &OsStr| end == "crt" || end == "cert";
        if files.any(|file| file.path().extension().is_some_and(is_certificate)) {
            notes.push(format!(
                "note: containerd reads no certificates beside a hosts.toml; add ca and client to {}",
                path.display()
            ));
        }
        Ok(notes)
    }

    fn undo(&self) -> Result<Report, Error> {
        let mut report = Report::default();
        let entries = fs::read_dir(&self.config).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path().join(FILE)).collect();
        files.sort();
        let files = files.into_iter().map(|path| (path, Form::Hosts));
        report.undo(files, self.dry_run)?;
        report.path = self.config.display().to_string();
        let mut is_made = false;
        for name in mirror::FILES.into_iter().chain([mirror::HOSTS]) {
            is_made |= exists(&self.dir.join(name)).map_err(of_mirror)?;
            if !self.dry_run {
                private::remove(&self.dir, name).map_err(of_mirror)?;
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
            report.say("nothing to undo: no configuration of containerd names the mirror");
        } else if self.dry_run {
            report.say(UNCHANGED);
        }
        Ok(report)
    }
}

fn of_mirror(fault: FileError) -> Error {
    fault.problem("mirror")
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
const OF_KUBELET: &str = "kubelet asks this helper already, and knows whose pod pulls; a mirror answers for the whole node, so that pods' own pull secrets no longer count";
const OF_KUBELET_FIX: &str = "for ctr alone: docker-credential-beta9 with ctr images pull IMAGE; --force sets the mirror up all the same";
