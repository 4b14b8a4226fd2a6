//! `Env`: the only reader of the process environment, so that a test is the program with another one.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::errors::ConfigError;
use crate::credential::Redacted;
use crate::error::Error;
use crate::log::Log;
use crate::trusted;

/// Where the authorities' certificates are that TLS trusts.
#[derive(Debug, Default)]
pub struct Authorities {
    /// One file with all of them.
    pub bundle: Option<PathBuf>,
    /// Directories with a file each.
    pub dirs: Vec<PathBuf>,
}

impl Authorities {
    /// What the environment names: `SSL_CERT_FILE`, and the directories of `SSL_CERT_DIR`. Empty counts as unset. It is asked
    /// for where certificates are loaded, once something must go on the network.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn named() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dirs = set("SSL_CERT_DIR").unwrap_or_default();
        Self {
            bundle: set("SSL_CERT_FILE").map(PathBuf::from),
            dirs: std::env::split_paths(&dirs)
                .filter(|dir| !dir.as_os_str().is_empty())
                .collect(),
        }
    }

    /// Whether none are named.
    pub fn is_empty(&self) -> bool {
        self.bundle.is_none() && self.dirs.is_empty()
    }
}

/// The proxy that the environment names, as Go's clients read it: the upper-case name first, and empty counts as unset.
#[derive(Debug)]
pub struct ProxyVariables {
    /// `HTTPS_PROXY`, and which of its two spellings it is.
    pub https: Option<(&'static str, OsString)>,
    /// `NO_PROXY`.
    pub direct: OsString,
}

impl ProxyVariables {
    /// What the environment names. It is asked for once something must go on the network.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn named() -> Self {
        let set = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
                Some((name, value))
            })
        };
        Self {
            https: set(["HTTPS_PROXY", "https_proxy"]),
            direct: set(["NO_PROXY", "no_proxy"]).map_or_else(OsString::new, |(_, value)| value),
        }
    }
}

/// The environment that the program was given. A clone is for another thread.
#[derive(Clone)]
pub struct Env {
    /// Read once: some sixty names are asked for.
    variables: Arc<LazyLock<Variables, Box<dyn FnOnce() -> Variables + Send>>>,
    account_home: fn() -> Option<PathBuf>,
    /// The home directory that counts, and the one that does not.
    home: OnceCell<(Option<PathBuf>, Option<ForeignHome>)>,
    log: Log,
}

type Variables = Vec<(OsString, OsString)>;

/// A home directory that another user owns, who would decide what this program does.
#[derive(Clone, Debug)]
pub struct ForeignHome {
    /// What `HOME` says.
    pub path: PathBuf,
    /// Whose it is.
    pub owner: u32,
}

impl Env {
    /// The real one. Without `HOME`, the account's home directory stands in, so that a service finds the same store.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn process() -> Self {
        Self::new(std::env::home_dir, || std::env::vars_os().collect())
    }

    /// One made of these variables only.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        Self::new(|| None, || variables.into())
    }

    fn new(
        account_home: fn() -> Option<PathBuf>,
        variables: impl FnOnce() -> Variables + Send + 'static,
    ) -> Self {
        Self {
            variables: Arc::new(LazyLock::new(Box::new(variables))),
            account_home,
            home: OnceCell::new(),
            log: Log::default(),
        }
    }

    /// A variable's value; empty counts as unset.
    fn get(&self, name: &str) -> Option<OsString> {
        let mut variables = self.variables.iter();
        let (_, value) = variables.find(|(known, value)| known == name && !value.is_empty())?;
        Some(value.clone())
    }

    /// The same environment, in which what is done is said here where `BETA9_LOG` is `debug`. Any other word is as good
    /// as none: how much is said is no reason to fail.
    pub fn logging_to(mut self, out: impl Write + Send + 'static) -> Self {
        if self
            .get("BETA9_LOG")
            .is_some_and(|level| level.eq_ignore_ascii_case("debug"))
        {
            self.log = Log::to(out);
        }
        self
    }

    /// Where what is done is said.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter_map(|(name, _)| name.to_str())
    }

    /// Whose value has this secret in it, whatever else it is.
    pub fn names_holding<'e>(&'e self, secret: &'e str) -> impl Iterator<Item = &'e OsStr> {
        let secret = secret.as_bytes();
        let holds = move |value: &OsString| {
            let mut parts = value.as_bytes().windows(secret.len().max(1));
            parts.any(|part| part == secret)
        };
        let variables = self.variables.iter();
        variables.filter_map(move |(name, value)| holds(value).then_some(name.as_os_str()))
    }

    /// A variable's text; empty counts as unset, and what is not UTF-8 is an error that names the variable.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let text = self.get(name).map(OsString::into_string).transpose();
        text.map_err(|_| {
            let variable = name.to_owned();
            ConfigError::NotUtf8 { variable }.into()
        })
    }

    /// A variable that `parse` makes something of; `what` says what a text that it refuses is not.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        what: &str,
        parse: impl FnOnce(String) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        parse(text).map(Some).ok_or_else(|| {
            let (variable, what) = (name.to_owned(), what.to_owned());
            ConfigError::Invalid { variable, what }.into()
        })
    }

    /// A variable that holds a secret.
    pub fn secret(&self, name: &str) -> Result<Option<Redacted>, Error> {
        Ok(self.text(name)?.map(Redacted::from))
    }

    /// The credential of this name that systemd gives the service (systemd.exec(5), `LoadCredential=`), if it does.
    pub fn credential(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let Some(dir) = self.path("CREDENTIALS_DIRECTORY")? else {
            return Ok(None);
        };
        let path = dir.join(name);
        let exists =
            trusted::exists(&path).map_err(|fault| fault.problem("CREDENTIALS_DIRECTORY"))?;
        Ok(exists.then_some(path))
    }

    /// A variable that holds an absolute path.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let path = self.get(name).map(|value| absolute(name, value.into()));
        path.transpose()
    }

    /// The home directory, where this program looks for its own files. One that another user owns counts as unset: then it
    /// is the account's, as for ssh, or none.
    pub fn home(&self) -> Option<PathBuf> {
        self.judged_home().0.clone()
    }

    /// What `HOME` says, where that is another user's.
    pub fn foreign_home(&self) -> Option<&ForeignHome> {
        self.judged_home().1.as_ref()
    }

    fn judged_home(&self) -> &(Option<PathBuf>, Option<ForeignHome>) {
        self.home.get_or_init(|| {
            let is_own = |home: &PathBuf| trusted::foreign_owner(home).is_none();
            let (mut home, mut foreign) = (self.clients_home(), None);
            if let Some(owner) = home.as_deref().and_then(trusted::foreign_owner) {
                foreign = home.map(|path| ForeignHome { path, owner });
                home = trusted::account_home().filter(is_own);
            }
            if let Some(path) = &home {
                trusted::set_home(path);
            }
            (home, foreign)
        })
    }

    /// The home directory, no matter who owns it, where a client that is started here looks for its own files.
    pub fn clients_home(&self) -> Option<PathBuf> {
        let home = self.get("HOME").map(PathBuf::from);
        home.or_else(self.account_home)
            .filter(|home| home.is_absolute())
    }

    /// The session's private directory, `XDG_RUNTIME_DIR`.
    pub fn session_dir(&self) -> Option<PathBuf> {
        self.directory("XDG_RUNTIME_DIR")
    }

    /// `PATH`, where clients look for the helper.
    pub fn search_path(&self) -> OsString {
        self.get("PATH").unwrap_or_default()
    }

    /// A directory of the XDG base directory specification: its variable if that is absolute, else below the home
    /// directory (<https://specifications.freedesktop.org/basedir-spec/latest/>).
    pub fn xdg(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.directory(variable)
            .or_else(|| self.home().map(|home| home.join(below_home)))
    }

    /// The same for a client's own files.
    pub fn clients_xdg(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.directory(variable)
            .or_else(|| self.clients_home().map(|home| home.join(below_home)))
    }

    fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }
}

/// The path that a variable names. A relative one would be looked for wherever docker was started, which may be anybody's
/// folder.
pub(super) fn absolute(name: &str, path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_absolute() {
        return Ok(path);
    }
    let variable = name.to_owned();
    Err(ConfigError::Relative { variable }.into())
}
