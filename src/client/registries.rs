//! `credential-helpers` of registries.conf, for podman, buildah, skopeo and CRI-O
//! (<https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md>).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::file::{Text, problem};
use crate::client::{HELPER, Scope};
use crate::config::Env;
use crate::error::Error;
use crate::trusted;

/// Where the files are. The user's main file hides the system's; the files in the directories are laid over either, by
/// name, the user's over the system's, and the last list that is not empty counts.
#[derive(Clone, Debug)]
pub struct RegistriesPlaces {
    /// The user's main file, where there is a home directory.
    pub user: Option<PathBuf>,
    /// The directory of the user's further files.
    pub user_dir: Option<PathBuf>,
    /// The system's main file.
    pub system: PathBuf,
    /// The directory of the system's further files.
    pub system_dir: PathBuf,
}

impl RegistriesPlaces {
    /// The places of this user, or of those that have no home directory. The user's are below the home directory itself: `XDG_CONFIG_HOME` is not read for them.
    #[must_use]
    pub fn of(env: &Env, scope: Scope) -> Self {
        let home = env.clients_home().filter(|_| scope == Scope::User);
        let below = |name: &str| {
            home.as_ref()
                .map(|home| home.join(".config/containers").join(name))
        };
        Self {
            user: below(MAIN),
            user_dir: below(FURTHER),
            system: Path::new("/etc/containers").join(MAIN),
            system_dir: Path::new("/etc/containers").join(FURTHER),
        }
    }
}

impl RegistriesPlaces {
    /// The main file and the directory that a change for this scope goes to.
    #[must_use]
    pub fn own(self, scope: Scope) -> (PathBuf, PathBuf) {
        match (scope, self.user, self.user_dir) {
            (Scope::User, Some(main), Some(dir)) => (main, dir),
            _ => (self.system, self.system_dir),
        }
    }
}

/// All the files that count, in the order in which they are laid over one another.
#[derive(Debug)]
pub struct Registries {
    /// Where they may be.
    pub places: RegistriesPlaces,
    /// Those that are there.
    pub files: Vec<RegistriesFile>,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub struct RegistriesFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its `credential-helpers`, if it has any.
    pub helpers: Option<Vec<String>>,
}

impl Registries {
    /// Reads the files that count in those places.
    pub fn read(places: RegistriesPlaces) -> Result<Self, Error> {
        let mut paths = Vec::new();
        for main in places.user.iter().chain([&places.system]) {
            if exists(main)? {
                paths.push(main.clone());
                break;
            }
        }
        for dir in [Some(&places.system_dir), places.user_dir.as_ref()]
            .into_iter()
            .flatten()
        {
            paths.extend(further(dir)?);
        }
        let mut files = Vec::new();
        for path in paths {
            if let Some(text) = Text::read(&path)? {
                files.push(RegistriesFile {
                    helpers: helpers(&path, &text.text)?,
                    path,
                });
            }
        }
        Ok(Self { places, files })
    }

    /// The file whose list counts, and the list; `None` when no file has one.
    #[must_use]
    pub fn effective(&self) -> Option<(&Path, &[String])> {
        let list =
            |file: &'_ RegistriesFile| file.helpers.as_ref().is_some_and(|list| !list.is_empty());
        let file = self.files.iter().rev().find(|file| list(file))?;
        Some((&file.path, file.helpers.as_deref()?))
    }

    /// The file to name a helper in so that it counts, and the list that it would hide. Where there is no file yet, it is a
    /// further one: a main file of the user's would hide all that the system's says.
    pub fn target(&self, scope: Scope) -> Result<(PathBuf, Vec<String>), Error> {
        let (main, dir) = self.places.clone().own(scope);
        Ok(match self.effective() {
            Some((path, _)) if path == main || path.parent() == Some(&dir) => {
                (path.to_owned(), Vec::new())
            }
            None if exists(&main)? => (main, Vec::new()),
            other => (
                dir.join(OURS),
                other.map_or_else(Vec::new, |(_, list)| list.to_vec()),
            ),
        })
    }

    /// Whether this helper stands before the auth files, so that `podman login` stores here and not in plain text: the first
    /// of the list that takes a credential has it
    /// (<https://github.com/containers/image/blob/main/pkg/docker/config/config.go>, `SetCredentials`).
    #[must_use]
    pub fn stores_here(&self) -> bool {
        let first = self
            .helpers()
            .into_iter()
            .find(|name| [HELPER, AUTH_FILES].contains(name));
        first == Some(HELPER)
    }

    /// The helpers in the order in which they are asked; the auth files stand in it as [`AUTH_FILES`].
    #[must_use]
    pub fn helpers(&self) -> Vec<&str> {
        self.effective().map_or_else(
            || vec![AUTH_FILES],
            |(_, list)| list.iter().map(String::as_str).collect(),
        )
    }
}

fn exists(path: &Path) -> Result<bool, Error> {
    trusted::exists(path).map_err(|fault| fault.problem("registries.conf"))
}

/// The `.conf` files of a directory, by name.
fn further(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: io::Error| {
        problem(dir, format_args!("it cannot be read ({error})"))
            .fix("make it readable for this user")
            .failed()
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn helpers(path: &Path, text: &str) -> Result<Option<Vec<String>>, Error> {
    let wrong = |cause: &dyn std::fmt::Display| {
        problem(path, cause)
            .fix("correct it, and try again")
            .failed()
    };
    if text.starts_with('\u{feff}') {
        return Err(wrong(
            &"it begins with a byte order mark, which podman, buildah and skopeo may refuse",
        ));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        wrong(&format_args!("line {line}: {}", error.message()))
    })?;
    let table = table.get_ref();
    for key in LISTS {
        if said(table, key).is_some_and(|value| names(value).is_none()) {
            return Err(wrong(&format_args!("its {key} is not a list of names")));
        }
    }
    if let Some(what) = unusable(table) {
        return Err(wrong(&what));
    }
    Ok(said(table, CREDENTIAL_HELPERS).and_then(names))
}

/// What stands under a key, which clients find in any case.
fn said<'t, 'd>(table: &'t DeTable<'d>, key: &str) -> Option<&'t DeValue<'d>> {
    let mut all = table.iter();
    all.find_map(|(name, value)| {
        name.get_ref()
            .eq_ignore_ascii_case(key)
            .then_some(value.get_ref())
    })
}

fn names(value: &DeValue) -> Option<Vec<String>> {
    let DeValue::Array(list) = value else {
        return None;
    };
    let text = |name: &DeValue| name.as_str().map(str::to_owned);
    list.iter().map(|name| text(name.get_ref())).collect()
}

/// Why podman and its family refuse the whole file, and with it every pull.
fn unusable(table: &DeTable) -> Option<&'static str> {
    let is_full = |value: &&DeValue| !names(value).is_some_and(|names| names.is_empty());
    if let Some(list) = said(table, "registry") {
        let place = |table: &DeTable, key| {
            said(table, key)
                .and_then(DeValue::as_str)
                .is_some_and(|place| !place.is_empty())
        };
        let is_named = |one: &DeValue| {
            one.as_table()
                .is_some_and(|one| place(one, "location") || place(one, "prefix"))
        };
        if !list
            .as_array()
            .is_some_and(|list| list.iter().all(|one| is_named(one.get_ref())))
        {
            return Some("a [[registry]] in it has neither location nor prefix");
        }
    }
    let old = said(table, "registries").and_then(DeValue::as_table);
    let in_old = |part| said(old?.get(part)?.get_ref().as_table()?, "registries").filter(is_full);
    let is_old = ["search", "insecure", "block"]
        .into_iter()
        .any(|part| in_old(part).is_some());
    let is_new = NEW
        .iter()
        .any(|key| said(table, key).filter(is_full).is_some());
    (is_old && is_new)
        .then_some("it has [registries.search] of the old form beside settings of the new one")
}

/// The name in the list that stands for the auth files.
pub const AUTH_FILES: &str = "containers-auth.json";
pub(super) const CREDENTIAL_HELPERS: &str = "credential-helpers";
const LISTS: [&str; 2] = [CREDENTIAL_HELPERS, "unqualified-search-registries"];
/// What does not stand beside the old form.
const NEW: [&str; 5] = [
    CREDENTIAL_HELPERS,
    "unqualified-search-registries",
    "registry",
    "short-name-mode",
    "aliases",
];
const OURS: &str = "beta9.conf";
const MAIN: &str = "registries.conf";
const FURTHER: &str = "registries.conf.d";

#[cfg(test)]
mod tests {
    use super::*;

    fn places(root: &Path) -> RegistriesPlaces {
        let [user_dir, system_dir] =
            ["home/registries.conf.d", "etc/registries.conf.d"].map(|dir| root.join(dir));
        for dir in [&user_dir, &system_dir] {
            fs::create_dir_all(dir).unwrap();
        }
        RegistriesPlaces {
            user: Some(root.join("home/registries.conf")),
            user_dir: Some(user_dir),
            system: root.join("etc/registries.conf"),
            system_dir,
        }
    }

    #[test]
    fn the_last_list_counts_and_the_users_main_file_hides_the_systems() {
        let scratch = tempfile::tempdir().unwrap();
        let read = || Registries::read(places(scratch.path())).unwrap();
        let write = |name: &str, text: &str| fs::write(scratch.path().join(name), text).unwrap();
        assert_eq!(read().helpers(), ["containers-auth.json"]);
        write("etc/registries.conf", "credential-helpers = ['system']");
        assert_eq!(read().helpers(), ["system"]);
        write("home/registries.conf", "unqualified-search-registries = []");
        assert_eq!(read().helpers(), ["containers-auth.json"]);
        write("etc/registries.conf.d/b.conf", "credential-helpers = ['b']");
        write("etc/registries.conf.d/a.conf", "credential-helpers = ['a']");
        write("etc/registries.conf.d/c.conf", "credential-helpers = []");
        write(
            "etc/registries.conf.d/d.conf.bak",
            "credential-helpers = ['d']",
        );
        assert_eq!(read().helpers(), ["b"]);
        write(
            "home/registries.conf.d/0.conf",
            "credential-helpers = ['mine', 'containers-auth.json']",
        );
        let read = read();
        assert_eq!(read.helpers(), ["mine", "containers-auth.json"]);
        assert_eq!(
            read.effective().unwrap().0,
            scratch.path().join("home/registries.conf.d/0.conf")
        );
    }

    #[test]
    fn a_helper_is_named_where_it_counts_and_nothing_of_the_systems_is_hidden() {
        let scratch = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(scratch.path().join(name), text).unwrap();
        let target = |scope| {
            let mut places = places(scratch.path());
            if scope == Scope::System {
                (places.user, places.user_dir) = (None, None);
            }
            let (path, inherited) = Registries::read(places).unwrap().target(scope).unwrap();
            (
                path.strip_prefix(scratch.path())
                    .unwrap()
                    .display()
                    .to_string(),
                inherited.join(" "),
            )
        };
        let found = |path: &str, inherited: &str| (path.to_owned(), inherited.to_owned());
        assert_eq!(
            target(Scope::User),
            found("home/registries.conf.d/beta9.conf", "")
        );
        assert_eq!(
            target(Scope::System),
            found("etc/registries.conf.d/beta9.conf", "")
        );
        write("etc/registries.conf", "credential-helpers = ['pass', 'x']");
        assert_eq!(
            target(Scope::User),
            found("home/registries.conf.d/beta9.conf", "pass x")
        );
        assert_eq!(target(Scope::System), found("etc/registries.conf", ""));
        write("home/registries.conf", "");
        assert_eq!(target(Scope::User), found("home/registries.conf", ""));
        write("etc/registries.conf.d/a.conf", "credential-helpers = ['y']");
        assert_eq!(
            target(Scope::User),
            found("home/registries.conf.d/beta9.conf", "y")
        );
        assert_eq!(
            target(Scope::System),
            found("etc/registries.conf.d/a.conf", "")
        );
    }

    #[test]
    fn a_file_that_is_no_toml_is_named_with_its_line() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("etc/registries.conf");
        let places = places(scratch.path());
        fs::write(&file, "\n\n[[registry]\n").unwrap();
        let text = Registries::read(places).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("{}: line 3: ", file.display())),
            "{text}"
        );
    }
}
