//! `credential-helpers` of registries.conf, for podman, buildah, skopeo and CRI-O
//! (<https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md>).

use std::path::{Path, PathBuf};

use super::edit::listed_helpers;
use super::file::{Text, files_in};
use super::refusal::FileFault;
use crate::client::{HELPER, Scope};
use crate::config::Env;
use crate::error::Error;
use crate::trusted;

/// The two directories, each with a main file and a directory of drop-in files. The user's main file hides the
/// system's. Drop-in files override both, in order of name, the user's over the system's. The last list that isn't
/// empty counts.
#[derive(Clone, Debug)]
pub struct RegistriesPlaces {
    /// The user's directory, if there is a home directory.
    pub user: Option<PathBuf>,
    /// The system's directory.
    pub system: PathBuf,
}

impl RegistriesPlaces {
    /// The places for this scope. The user's are always below the home directory; `XDG_CONFIG_HOME` is not used for
    /// them.
    pub fn of(env: &Env, scope: Scope) -> Self {
        let home = env.clients_home().filter(|_| scope == Scope::User);
        Self {
            user: home.map(|home| home.join(".config/containers")),
            system: PathBuf::from("/etc/containers"),
        }
    }

    /// The main file and the drop-in directory to change for this scope.
    pub fn own(&self, scope: Scope) -> (PathBuf, PathBuf) {
        let user = self.user.as_ref().filter(|_| scope == Scope::User);
        let dir = user.unwrap_or(&self.system);
        (dir.join(MAIN), dir.join(FURTHER))
    }
}

/// All files that count, in ascending precedence.
#[derive(Debug)]
pub struct Registries {
    /// The places that were searched.
    pub places: RegistriesPlaces,
    /// The existing files.
    pub files: Vec<RegistriesFile>,
}

/// A registries.conf or drop-in file.
#[derive(Debug, PartialEq, Eq)]
pub struct RegistriesFile {
    /// Its path.
    pub path: PathBuf,
    /// Its `credential-helpers`, if it has any.
    pub helpers: Option<Vec<String>>,
}

impl Registries {
    /// Reads the files in those places.
    pub fn read(places: RegistriesPlaces) -> Result<Self, Error> {
        let mut paths = Vec::new();
        for dir in places.user.iter().chain([&places.system]) {
            if paths.is_empty() && exists(&dir.join(MAIN))? {
                paths.push(dir.join(MAIN));
            }
        }
        for dir in [&places.system].into_iter().chain(&places.user) {
            paths.extend(files_in(&dir.join(FURTHER), &["conf"])?);
        }
        let mut files = Vec::new();
        for path in paths {
            if let Some(text) = Text::read(&path)? {
                let helpers = listed_helpers(&text.text);
                let helpers = helpers.map_err(|cause| FileFault::Incorrect(cause).of(&path))?;
                files.push(RegistriesFile { path, helpers });
            }
        }
        Ok(Self { places, files })
    }

    /// The file whose list counts, and the list; `None` if no file has one.
    pub fn effective(&self) -> Option<(&Path, &[String])> {
        let list =
            |file: &'_ RegistriesFile| file.helpers.as_ref().is_some_and(|list| !list.is_empty());
        let file = self.files.iter().rev().find(|file| list(file))?;
        Some((&file.path, file.helpers.as_deref()?))
    }

    /// The file to change so that a helper counts, and the list that this would hide. A new file is a drop-in, because
    /// a new main file of the user's would hide the system's.
    pub fn target(&self, scope: Scope) -> Result<(PathBuf, Vec<String>), Error> {
        let (main, dir) = self.places.own(scope);
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

    /// Whether this helper precedes the auth files, so that `podman login` stores here rather than in plain text: the
    /// first helper in the list that accepts the credential stores it
    /// (<https://github.com/containers/image/blob/main/pkg/docker/config/config.go>, `SetCredentials`).
    pub fn stores_here(&self) -> bool {
        let mut helpers = self.helpers().into_iter();
        helpers.find(|name| [HELPER, AUTH_FILES].contains(name)) == Some(HELPER)
    }

    /// The helpers in the order of look-up, with the auth files as [`AUTH_FILES`].
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

/// The list's name for the auth files.
pub const AUTH_FILES: &str = "containers-auth.json";
pub(super) const CREDENTIAL_HELPERS: &str = "credential-helpers";
const OURS: &str = "beta9.conf";
const MAIN: &str = "registries.conf";
const FURTHER: &str = "registries.conf.d";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn places(root: &Path) -> RegistriesPlaces {
        let [user, system] = ["home", "etc"].map(|dir| root.join(dir));
        for dir in [&user, &system] {
            fs::create_dir_all(dir.join(FURTHER)).unwrap();
        }
        RegistriesPlaces {
            user: Some(user),
            system,
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
                places.user = None;
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
    fn a_file_that_is_not_toml_is_named_with_its_line() {
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
