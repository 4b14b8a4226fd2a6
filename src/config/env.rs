//! `Env`: the only code that reads the process's environment, so that tests can supply another one.

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

/// Where the certificates of trusted authorities are.
#[derive(Debug, Default)]
pub struct Authorities {
    /// One file with all of them.
    pub bundle: Option<PathBuf>,
    /// Directories with one file for each authority.
    pub dirs: Vec<PathBuf>,
}

impl Authorities {
    /// The values of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Empty counts as unset. Read only when the network is needed.
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

/// The proxy variables, as Go's clients read them: the upper-case name first, and empty counts as unset.
#[derive(Debug)]
pub struct ProxyVariables {
    /// The value of `HTTPS_PROXY`, and which of its two spellings is set.
    pub https: Option<(&'static str, OsString)>,
    /// `NO_PROXY`.
    pub direct: OsString,
}

impl ProxyVariables {
    /// The values. Read only when the network is needed.
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

/// The program's environment.
pub struct Env {
    /// Read once, because about sixty names are looked up.
    variables: Arc<LazyLock<Variables, Box<dyn FnOnce() -> Variables + Send>>>,
    account_home: fn() -> Option<PathBuf>,
    /// The home directory to use, and the ignored one.
    home: OnceCell<(Option<PathBuf>, Option<ForeignHome>)>,
    log: Log,
}

type Variables = Vec<(OsString, OsString)>;

/// A home directory of another user, who could control this program through it.
#[derive(Clone, Debug)]
pub struct ForeignHome {
    /// The value of `HOME`.
    pub path: PathBuf,
    /// Its owner.
    pub owner: u32,
}

/// A clone is for another thread, where the home directory's owner is checked again.
impl Clone for Env {
    fn clone(&self) -> Self {
        Self {
            variables: Arc::clone(&self.variables),
            account_home: self.account_home,
            home: OnceCell::new(),
            log: self.log.clone(),
        }
    }
}

impl Env {
    /// The process's environment. Without `HOME`, the account's home directory is used, so that a service finds the
    /// same store.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn process() -> Self {
        Self::new(std::env::home_dir, || std::env::vars_os().collect())
    }

    /// An environment with only these variables.
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

    /// The same environment, with the debug log going to `out` if `BETA9_LOG` is `debug`. Any other value is ignored,
    /// because logging is no reason to fail.
    pub fn logging_to(mut self, out: impl Write + Send + 'static) -> Self {
        if self
            .get("BETA9_LOG")
            .is_some_and(|level| level.eq_ignore_ascii_case("debug"))
        {
            self.log = Log::to(out);
        }
        self
    }

    /// The debug log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter_map(|(name, _)| name.to_str())
    }

    /// The names of the variables whose value contains this secret, also if it isn't UTF-8.
    pub fn names_holding<'e>(&'e self, secret: &'e str) -> impl Iterator<Item = &'e OsStr> {
        let secret = secret.as_bytes();
        let holds = move |value: &OsString| {
            let mut parts = value.as_bytes().windows(secret.len().max(1));
            parts.any(|part| part == secret)
        };
        let variables = self.variables.iter();
        variables.filter_map(move |(name, value)| holds(value).then_some(name.as_os_str()))
    }

    /// A variable's text. Empty counts as unset; a value that isn't UTF-8 is an error that names the variable.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let text = self.get(name).map(OsString::into_string).transpose();
        text.map_err(|_| {
            let variable = name.to_owned();
            ConfigError::NotUtf8 { variable }.into()
        })
    }

    /// A parsed variable. If `parse` fails, the error says that the value is not `what`.
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

    /// A variable that contains a secret.
    pub fn secret(&self, name: &str) -> Result<Option<Redacted>, Error> {
        Ok(self.text(name)?.map(Redacted::from))
    }

    /// The path of the systemd credential with this name (systemd.exec(5), `LoadCredential=`), if it exists.
    pub fn credential(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let Some(dir) = self.path("CREDENTIALS_DIRECTORY")? else {
            return Ok(None);
        };
        let path = dir.join(name);
        let exists =
            trusted::exists(&path).map_err(|fault| fault.problem("CREDENTIALS_DIRECTORY"))?;
        Ok(exists.then_some(path))
    }

    /// A variable that contains an absolute path. A relative one is an error.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let path = self.get(name).map(|value| absolute(name, value.into()));
        path.transpose()
    }

    /// The home directory for this program's own files. If another user owns it, the account's is used, as in ssh, or
    /// none.
    pub fn home(&self) -> Option<PathBuf> {
        self.judged_home().0.clone()
    }

    /// `HOME`, if another user owns it.
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

    /// The home directory, whoever owns it, where a client with this environment looks for its files.
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

    /// A directory of the XDG base directory specification: the variable's value if it is absolute, else below the home
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

/// The path in a variable. A relative one is refused, because it would depend on the directory where docker was
/// started.
pub(super) fn absolute(name: &str, path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_absolute() {
        return Ok(path);
    }
    let variable = name.to_owned();
    Err(ConfigError::Relative { variable }.into())
}
