//! Configures kubelet: its file, the images to ask this helper about, and the directory of the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indexmap::IndexSet;

use super::Plan;
use super::request::{Listed, Request, Wanted, names};
use crate::client::edit::provider_names;
use crate::client::file::{Text, files_in};
use crate::client::refusal::unchanged;
use crate::client::{Change, Helper, PROGRAM, Put, Rancher, SYSTEM_PATH, find_helper};
use crate::config::Env;
use crate::error::Error;
use crate::host::{Host, Scheme, matches_name};
use crate::registry::match_images;
use crate::resolver::Resolver;
use crate::shown::shown;
use crate::trusted::exists;

pub(super) fn kubelet(request: &Request, env: &Env) -> Result<Plan, Error> {
    let config = configured(request);
    let mut others = Vec::new();
    for path in files(&config)? {
        others.extend(names_in(&path)?);
    }
    others.retain(|name| name != PROGRAM);
    let rancher = rancher(request);
    if rancher.is_some() && config.is_dir() {
        let cause = "it is a directory, which k3s and RKE2 do not read";
        return Err(unchanged(&config, cause, "put a file in its place"));
    }
    let bin_dir = match (&request.bin_dir, &rancher) {
        (Some(dir), _) => dir.clone(),
        (None, Some(rancher)) => rancher.bin.clone(),
        (None, None) if others.is_empty() => match find_helper(SYSTEM_PATH.as_ref()) {
            Helper::Found(helper) => helper.parent().unwrap_or(Path::new("/")).to_owned(),
            _ => PathBuf::from("/usr/local/bin"),
        },
        // All providers are in one directory, which only the person who put them there knows.
        (None, None) => {
            // The names are foreign text, which may contain characters that move a terminal's cursor.
            let names: Vec<String> = others.iter().map(|name| shown(name).to_string()).collect();
            let names = names.join(", ");
            let cause = format!("it has {names} too, and kubelet looks for all in one directory");
            let fix = "name that directory with --bin-dir, and put this helper there";
            return Err(unchanged(&config, cause, fix));
        }
    };
    let (images, registries, mut notes) = if let Some(wanted) = &request.hosts {
        let images = wanted.iter().flat_map(images_of).collect();
        (images, names(&Wanted::hosts(wanted)), Vec::new())
    } else {
        let (images, notes) = all_known(env);
        (images, "every registry that it knows".to_owned(), notes)
    };
    let dir = bin_dir.display();
    let missing = |name: &&String| matches!(exists(&bin_dir.join(name)), Ok(false));
    for name in others.iter().filter(missing).map(|name| shown(name)) {
        notes.push(format!(
            "note: {dir} has no {name}, which the file names too"
        ));
    }
    notes.extend(match &rancher {
        Some(rancher) => restart(rancher),
        None => vec![
            "start kubelet with:".into(),
            format!("  --image-credential-provider-config={}", config.display()),
            format!("  --image-credential-provider-bin-dir={dir}"),
        ],
    });
    let change = Change::provider(&kubelet_file(request)?, &images, request.force)?;
    Ok(Plan {
        change,
        registries,
        put: rancher.map(|_| Put::into(&bin_dir)).transpose()?,
        helper_dir: Some(bin_dir),
        notes,
    })
}

/// The places of a Rancher node, unless others are requested.
pub(super) fn rancher(request: &Request) -> Option<Rancher> {
    let rancher = Rancher::of(Path::new("/"), request.config.as_deref());
    rancher.filter(|found| request.bin_dir.as_ref().is_none_or(|dir| *dir == found.bin))
}

/// The commands that make kubelet read the file again.
pub(super) fn restart(rancher: &Rancher) -> Vec<String> {
    let first = match rancher.restarts.as_slice() {
        [] => "k3s and RKE2 read this when they start, and Rancher's agent at its next pull",
        _ => "restart the service of this node, which reads this when it starts:",
    };
    let commands = rancher.restarts.iter();
    let commands = commands.map(|command| format!("  {command}"));
    [first.to_owned()].into_iter().chain(commands).collect()
}

/// The files that may name this helper. On a Rancher node, that includes the file that an earlier version wrote.
pub(super) fn kubelet_files(request: &Request) -> Result<IndexSet<PathBuf>, Error> {
    let is_usual = request.config.is_none();
    let other = is_usual.then(|| PathBuf::from(KUBELET_FILE));
    Ok([kubelet_file(request)?].into_iter().chain(other).collect())
}

/// The file for this helper's entry. In a directory, of which kubelet reads every file since 1.35, it is the file that
/// has the entry, or a new one.
fn kubelet_file(request: &Request) -> Result<PathBuf, Error> {
    let config = configured(request);
    if !config.is_dir() {
        return Ok(config);
    }
    for path in files(&config)? {
        if names_in(&path)?.iter().any(|name| name == PROGRAM) {
            return Ok(path);
        }
    }
    Ok(config.join(OWN_FILE))
}

fn configured(request: &Request) -> PathBuf {
    let given = request.config.clone();
    given
        .or_else(|| Some(rancher(request)?.config))
        .unwrap_or_else(|| PathBuf::from(KUBELET_FILE))
}

/// The files that kubelet reads: the file itself, or the directory's files sorted by name.
/// (<https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/plugin/config.go>)
pub(in crate::cli) fn files(config: &Path) -> Result<Vec<PathBuf>, Error> {
    if !config.is_dir() {
        return Ok(vec![config.to_owned()]);
    }
    files_in(config, &["json", "yaml", "yml"])
}

fn names_in(path: &Path) -> Result<Vec<String>, Error> {
    let text = Text::read(path)?;
    let text = text.as_ref().map_or("", |text| text.text.as_str());
    let names = provider_names(text);
    names.map_err(|cause| unchanged(path, cause, "correct it, and try again"))
}

/// The table's patterns, then further hosts sorted by name; and the hosts that are left out.
fn all_known(env: &Env) -> (Vec<String>, Vec<String>) {
    let (table, mut more, mut wide, mut notes) =
        (match_images(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut left_out = |why: &str| {
        notes.push(format!(
            "note: registries of the store may be left out: {why}"
        ));
    };
    match Resolver::of(env) {
        Ok(resolver) => {
            match Listed::of(&resolver) {
                Ok(listed) => {
                    listed.skipped.iter().for_each(|why| left_out(why));
                    let answered = |host: &Host| is_answered(&resolver, host, "");
                    more.extend(listed.hosts.into_iter().filter(answered));
                }
                Err(error) => left_out(&crate::one_line(&error)),
            }
            for rule in resolver.config().rules() {
                if let Some(host) = rule.host.exact() {
                    let answered = |host: &Host| is_answered(&resolver, host, rule.host.path());
                    more.extend(Some(host).filter(answered));
                } else if !rule.is_public() {
                    wide.insert(rule.host.registries());
                }
            }
        }
        Err(error) => left_out(&crate::one_line(&error)),
    }
    // A pattern without a port matches only images without one. A pattern that covers another one also matches its
    // text.
    let covers = |name: &str, by: &str| !name.contains(':') && matches_name(by, name);
    wide.retain(|name| !table.iter().any(|pattern| covers(name, pattern)));
    let patterns: Vec<String> = table.into_iter().chain(wide).collect();
    let covered = |host: &Host| patterns.iter().any(|by| covers(host.as_reference(), by));
    // Kubelet reads the brackets of an IPv6 address as a character set.
    let more = more.into_iter().filter(|host| !covered(host));
    let (addresses, more): (Vec<Host>, Vec<Host>) =
        more.partition(|host| host.name().starts_with('['));
    for host in addresses {
        notes.push(format!(
            "note: {host} is left out: kubelet matches no IPv6 addresses"
        ));
    }
    let more = more.iter().map(|host| host.as_reference().to_owned());
    let more: Vec<String> = more.collect();
    ([patterns, more].concat(), notes)
}

/// Whether the rules allow an answer for this host and path.
fn is_answered(resolver: &Resolver, host: &Host, path: &str) -> bool {
    let route = resolver.route(host, Scheme::Https, path);
    route.is_some_and(|route| !route.is_public())
}

/// The patterns of a registry. Images of Docker Hub may use the registry's own host name, which kubelet treats as a
/// different host.
fn images_of(wanted: &Wanted) -> Vec<String> {
    let names = wanted.keys.iter().filter(|key| !key.contains("://"));
    let hub = Host::DOCKER_HUB_REGISTRY.to_owned();
    let other = wanted.host.is_docker_hub().then_some(hub);
    let names: IndexSet<String> = names.cloned().chain(other).collect();
    names.into_iter().collect()
}

/// The path of a new file. Kubelet has no default; it reads what its flag names.
const KUBELET_FILE: &str = "/etc/kubernetes/credential-provider-config.yaml";
const OWN_FILE: &str = concat!(env!("CARGO_PKG_NAME"), ".yaml");
