//! Errors in settings, which name the file and the key, or the variable. Values are never quoted.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::sdk::PART;
use crate::error::{Code, Fault, Meaning};

/// Why the settings can't be used.
#[derive(Debug, Error)]
pub(super) enum ConfigError {
    #[error("its value is not UTF-8")]
    NotUtf8 { variable: String },
    /// A variable's value isn't `what` it must be.
    #[error("it is not {what}")]
    Invalid { variable: String, what: String },
    #[error("it is not an absolute path")]
    Relative { variable: String },
    /// `part` names a file that does not exist.
    #[error("there is no file {}", path.display())]
    Missing {
        part: String,
        path: PathBuf,
        fix: &'static str,
    },
    #[error("{what}")]
    File { path: PathBuf, what: FileFault },
}

/// What is wrong with a configuration file.
#[derive(Debug, Error)]
pub(super) enum FileFault {
    /// The parser's message says what it expected; unlike the error's Display it does not quote the file.
    #[error("line {line}: {expected}")]
    Toml { line: usize, expected: String },
    #[error(transparent)]
    Setting(SettingError),
    #[error("\"{0}\" and \"{0}_file\" are both set")]
    BothForms(&'static str),
    #[error("the rule for {0} has both \"secret\" and \"secrets\"")]
    BothSecrets(String),
    #[error("a [[registry]] has no \"host\"")]
    NoHost,
}

/// An unknown key, or an invalid value.
#[derive(Debug, Error)]
#[error("{}", self.cause())]
pub(super) struct SettingError {
    /// The full key or the section, such as `store.file`.
    pub(super) place: String,
    /// The unknown key, if that is the fault.
    pub(super) unknown: Option<String>,
    /// What the value should be.
    pub(super) what: String,
    pub(super) fix: String,
}

impl FileFault {
    pub(super) fn of(self, path: &Path) -> ConfigError {
        let (path, what) = (path.to_owned(), self);
        ConfigError::File { path, what }
    }
}

impl Fault for ConfigError {
    fn meaning(&self) -> Meaning {
        let invalid = |variable: &str| Meaning::new(Code::ConfigInvalid, variable.to_owned());
        match self {
            Self::NotUtf8 { variable } => invalid(variable).fix("set it again, or unset it"),
            Self::Invalid { variable, .. } => invalid(variable).fix("correct it, or unset it"),
            Self::Relative { variable } => invalid(variable).fix("give the whole path, from /"),
            Self::Missing { part, fix, .. } => {
                Meaning::new(Code::ConfigUnreadable, part.clone()).fix(*fix)
            }
            Self::File { path, what } => {
                let (code, fix) = match what {
                    FileFault::Toml { .. } => (Code::ConfigUnreadable, "correct the TOML"),
                    FileFault::Setting(setting) if setting.unknown.is_some() => {
                        (Code::ConfigUnknownKey, setting.fix.as_str())
                    }
                    FileFault::Setting(setting) => (Code::ConfigInvalid, setting.fix.as_str()),
                    FileFault::BothForms(_) | FileFault::BothSecrets(_) => {
                        (Code::ConfigConflict, "remove one of them")
                    }
                    FileFault::NoHost => (Code::ConfigMissing, "add host = \"…\" to it"),
                };
                Meaning::new(code, format!("configuration {}", path.display())).fix(fix.to_owned())
            }
        }
    }
}

/// Why the gateway's address or its token is unknown.
#[derive(Debug, Error)]
pub(super) enum GatewaySettingsError {
    #[error("{token} is set, and the gateway in {place} is for another token")]
    OtherToken { token: &'static str, place: String },
    #[error("there is no context \"{name}\" in {places}")]
    NoContext { name: String, places: String },
    #[error("the token from {0} is empty")]
    EmptyToken(String),
    #[error("the token in {place} is for {own}, not for {url}")]
    OtherGateway {
        place: String,
        own: String,
        url: String,
    },
    /// The value isn't a URL. It is not quoted, because it may contain a password.
    #[error("the gateway's URL is not http:// or https:// with a host and perhaps a path")]
    NoUrl,
    #[error("a token must not go to {0} without TLS")]
    Cleartext(String),
    #[error("the gateway's HTTP address cannot be derived from its gRPC address {host}:{port}")]
    GrpcAlone { host: String, port: String },
    /// `place` is the file, and the section if only that can't be read.
    #[error("{place} cannot be read: {why}")]
    Unreadable { place: String, why: String },
    #[error("no gateway is configured, and {0} has none")]
    NoGateway(String),
    #[error("no token for the gateway is set, and {0} has none")]
    NoToken(String),
}

impl Fault for GatewaySettingsError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        match self {
            Self::OtherToken { .. } => of(Code::ConfigConflict)
                .fix("set store.gateway.url, or store.gateway.context if that gateway is meant"),
            Self::NoContext { .. } => {
                of(Code::ConfigMissing).fix("correct store.gateway.context or BETA9_CONTEXT")
            }
            Self::EmptyToken(_) => of(Code::ConfigInvalid).fix("set it"),
            Self::OtherGateway { .. } => of(Code::ConfigConflict)
                .fix("set BETA9_TOKEN, or BETA9_CONTEXT if the saved token is meant"),
            Self::NoUrl => of(Code::ConfigInvalid)
                .fix("correct store.gateway.url, BETA9_GATEWAY_URL, or the SDK's api_url"),
            Self::Cleartext(_) => {
                of(Code::ConfigInvalid).fix("use https://, or set store.gateway.insecure = true")
            }
            Self::GrpcAlone { .. } | Self::NoGateway(_) => {
                of(Code::ConfigMissing).fix("set store.gateway.url or BETA9_GATEWAY_URL")
            }
            Self::Unreadable { .. } => of(Code::ConfigUnreadable).fix("correct the file"),
            Self::NoToken(_) => of(Code::ConfigMissing)
                .fix("set BETA9_TOKEN beside BETA9_GATEWAY_URL, or log in with the SDK"),
        }
    }
}
