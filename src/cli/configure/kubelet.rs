//! A kubelet's file: which images it should ask this helper about, and where it looks for the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::plan::{Plan, names};
use super::request::{Listed, Registries, Request, Wanted};
use crate::client::edit::provider_names;
use crate::client::file::{Text, files_in};
use crate::client::{Change, Helper, SYSTEM_PATH, find_helper};
use crate::config::{Config, Env};
use crate::error::{Error, Problem};
use crate::host::{Host, Scheme, matches_name};
use crate::registry::match_images;
use crate::resolver::Resolver;
use crate::shown::shown;
use crate::trusted::exists;

pub(super) fn kubelet(request: &Request, env: &Env) -> Result<Plan, Error> {
    let config = configured(request);
    let mut others = Vec::new();
    for path in files(&config)? {
        let names = names_in(&path)?;
        others.extend(
            names
                .into_iter()
                .filter(|name| name != env!("CARGO_PKG_NAME")),
        );
    }
    // They are somebody else's text, which may hold what moves a terminal's cursor.
    let told: Vec<String> = others.iter().map(|name| shown(name).to_string()).collect();
    let bin_dir = match (&request.bin_dir, others.as_slice()) {
        (Some(dir), _) => dir.clone(),
        (None, []) => match find_helper(SYSTEM_PATH.as_ref()) {
            Helper::Found(helper) => helper.parent().unwrap_or(Path::new("/")).to_owned(),
            _ => PathBuf::from("/usr/local/bin"),
        },
        // All providers are in one directory, and only whoever put them there knows which.
        (None, _) => {
            let cause = format!(
                "it has {} too, and kubelet looks for all in one directory",
                told.join(", ")
            );
            let fix = "nothing was changed; name that directory with --bin-dir, and put this helper there";
            return Err(Problem::new(config.display().to_string(), cause)
                .fix(fix)
                .failed());
        }
    };
    let (images, registries, mut notes) = if let Registries::These(wanted) = &request.registries {
        let hosts: Vec<Host> = wanted.iter().map(|one| one.host.clone()).collect();
        (
            wanted.iter().flat_map(images_of).collect(),
            names(&hosts),
            Vec::new(),
        )
    } else {
        let (images, notes) = all_known(env);
        (images, "every registry that it knows".to_owned(), notes)
    };
    let missing = others
        .iter()
        .zip(&told)
        .filter(|(name, _)| matches!(exists(&bin_dir.join(name)), Ok(false)));
    notes.extend(missing.map(|(_, name)| {
        format!(
            "note: {} has no {name}, which the file names too",
            bin_dir.display()
        )
    }));
    notes.push("start kubelet with:".into());
    notes.push(format!(
        "  --image-credential-provider-config={}",
        config.display()
    ));
    notes.push(format!(
        "  --image-credential-provider-bin-dir={}",
        bin_dir.display()
    ));
    let change = Change::provider(&kubelet_file(request)?, &images, request.force)?;
    Ok(Plan {
        change,
        registries,
        helper_dir: Some(bin_dir),
        notes,
    })
}

/// The file with this helper's entry. Of a directory, of which kubelet reads every file since 1.35, it is the file that has
/// the entry, or one of its own.
pub(super) fn kubelet_file(request: &Request) -> Result<PathBuf, Error> {
    let config = configured(request);
    if !config.is_dir() {
        return Ok(config);
    }
    for path in files(&config)? {
        if names_in(&path)?
            .iter()
            .any(|name| name == env!("CARGO_PKG_NAME"))
        {
            return Ok(path);
        }
    }
    Ok(config.join(OWN_FILE))
}

fn configured(request: &Request) -> PathBuf {
    request
        .config
        .clone()
        .unwrap_or_else(|| PathBuf::from(KUBELET_FILE))
}

/// What kubelet reads: the file, or the files of the directory by name.
/// (<https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/plugin/config.go>)
fn files(config: &Path) -> Result<Vec<PathBuf>, Error> {
    if !config.is_dir() {
        return Ok(vec![config.to_owned()]);
    }
    files_in(config, &["json", "yaml", "yml"])
}

fn names_in(path: &Path) -> Result<Vec<String>, Error> {
    let text = Text::read(path)?;
    let text = text.as_ref().map_or("", |text| text.text.as_str());
    let names = provider_names(text);
    names.map_err(|cause| {
        Problem::new(path.display().to_string(), cause)
            .fix("nothing was changed; correct it, and try again")
            .failed()
    })
}

/// The patterns of the table and, in the order of their names, the hosts beyond it; and what is left out.
fn all_known(env: &Env) -> (Vec<String>, Vec<String>) {
    let (table, mut more, mut wide, mut notes) =
        (match_images(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut left_out = |why: &str| {
        notes.push(format!(
            "note: registries of the store may be left out: {why}"
        ));
    };
    match Config::load(env).and_then(Resolver::new) {
        Ok(resolver) => {
            match Listed::of(&resolver) {
                Ok(listed) => {
                    listed.skipped.iter().for_each(|why| left_out(why));
                    more.extend(
                        listed
                            .hosts
                            .into_iter()
                            .filter(|host| is_answered(&resolver, host, "")),
                    );
                }
                Err(error) => left_out(&crate::one_line(&error)),
            }
            for rule in resolver.config().rules() {
                match rule.host.exact() {
                    Some(host) => more.extend(
                        Some(host).filter(|host| is_answered(&resolver, host, rule.host.path())),
                    ),
                    None => wide.extend(Some(rule.host.registries()).filter(|_| !rule.is_public())),
                }
            }
        }
        Err(error) => left_out(&crate::one_line(&error)),
    }
    // A pattern without a port is for images without one. One that covers another pattern matches it as it stands.
    let covers = |name: &str, by: &str| !name.contains(':') && matches_name(by, name);
    wide.retain(|name| !table.iter().any(|pattern| covers(name, pattern)));
    let patterns: Vec<String> = table.into_iter().chain(wide).collect();
    more.retain(|host| {
        !patterns
            .iter()
            .any(|pattern| covers(host.as_reference(), pattern))
    });
    // Kubelet takes the brackets for a set of characters.
    let (addresses, more): (Vec<Host>, Vec<Host>) = more
        .into_iter()
        .partition(|host| host.name().starts_with('['));
    notes.extend(
        addresses
            .iter()
            .map(|host| format!("note: {host} is left out: kubelet matches no IPv6 addresses")),
    );
    (
        patterns
            .into_iter()
            .chain(more.iter().map(|host| host.as_reference().to_owned()))
            .collect(),
        notes,
    )
}

/// Whether the rules let anything be answered there.
fn is_answered(resolver: &Resolver, host: &Host, path: &str) -> bool {
    resolver
        .route(host, Scheme::Https, path)
        .is_some_and(|route| !route.is_public())
}

/// An image of Docker Hub may be called by its registry's own name, which kubelet does not take for the same.
fn images_of(wanted: &Wanted) -> Vec<String> {
    let mut names: Vec<String> = wanted
        .keys
        .iter()
        .filter(|key| !key.contains("://"))
        .cloned()
        .collect();
    let other = Host::DOCKER_HUB_REGISTRY;
    if wanted.host.is_docker_hub() && !names.iter().any(|name| name == other) {
        names.push(other.to_owned());
    }
    names
}

/// Where a new one goes; kubelet has no place of its own, and reads what its flag names.
const KUBELET_FILE: &str = "/etc/kubernetes/credential-provider-config.yaml";
const OWN_FILE: &str = concat!(env!("CARGO_PKG_NAME"), ".yaml");
