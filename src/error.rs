//! The one error type. Each variant says what the caller does next, and every message names the registry, the cause and
//! the fix.

mod code;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

pub use code::Code;

use serde::Serialize;

use crate::shown::without_logins;

/// A failure, classified by what happens next.
#[derive(Debug)]
pub enum Error {
    /// Certainly no credential here: the next store is asked, and after the last one docker pulls anonymously.
    NotFound,
    /// The client violated the protocol in a way that has a fixed answer.
    Protocol(&'static str),
    /// The command line is wrong; usage is shown.
    Usage,
    /// The failure has already been reported; only the exit status remains.
    Told,
    /// A program that we ran failed and said why; its exit status is passed on.
    Exited(u8),
    /// The request fails until somebody fixes the cause. No other store is asked.
    Failed(Box<Problem>),
    /// A store or provider could not be reached. A cached last answer may be used; without one, the request fails.
    Unreachable(Box<Problem>),
}

/// A module's error type: an enum whose `Display` is the cause, and whose `meaning` says what follows from each
/// variant. `?` turns it into an [`Error`]. No variant holds a secret or a response body.
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// The consequences of this failure.
    fn meaning(&self) -> Meaning;
}

/// The consequences of a failure: its code, part, fix and what happens next.
#[derive(Clone, Debug)]
pub struct Meaning {
    code: Option<Code>,
    part: Cow<'static, str>,
    fix: Cow<'static, str>,
    next: Next,
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stop,
    Refuse,
    GoWithout,
    Bridge,
}

impl Meaning {
    /// A failure that ends the request. `part` is the store, backend, file or input that failed.
    pub fn new(code: Code, part: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Some(code), part.into())
    }

    fn of(code: Option<Code>, part: Cow<'static, str>) -> Self {
        Self {
            code,
            part,
            fix: Cow::Borrowed(""),
            next: Next::Stop,
            answered: false,
        }
    }

    /// Adds the fix, as a literal command or setting.
    pub fn fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        let fix = fix.into();
        Self { fix, ..self }
    }

    /// Marks a wrong token or password, or one that may not do this. Then `list` fails too.
    pub fn refused(self) -> Self {
        let next = Next::Refuse;
        Self { next, ..self }
    }

    /// Marks a denied login at a registry that also serves anonymous clients.
    pub fn dispensable(self) -> Self {
        let next = Next::GoWithout;
        Self { next, ..self }
    }

    /// Marks a part that can't be reached, so that a cached last answer may be used.
    pub fn unreachable(self) -> Self {
        let next = Next::Bridge;
        Self { next, ..self }
    }

    /// Marks the provider's own answer, as opposed to a fault of this process, its environment or the network.
    pub fn answered(self) -> Self {
        let answered = true;
        Self { answered, ..self }
    }
}

impl<F: Fault> From<F> for Error {
    fn from(fault: F) -> Self {
        let problem = Problem {
            registry: None,
            cause: match fault.source() {
                Some(source) => format!("{fault}: {source}"),
                None => fault.to_string(),
            },
            meaning: fault.meaning(),
        };
        match problem.meaning.next {
            Next::Bridge => problem.unreachable(),
            Next::Stop | Next::Refuse | Next::GoWithout => problem.failed(),
        }
    }
}

/// A failure as people read it: one line, `registry: part: cause; fix`. Never holds a secret or a response body.
#[derive(Clone, Debug)]
pub struct Problem {
    registry: Option<String>,
    cause: String,
    meaning: Meaning,
}

impl Problem {
    /// A failure of `part` (a store, a backend, a file, the input) with this cause.
    pub fn new(part: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            registry: None,
            cause: cause.to_string(),
            meaning: Meaning::of(None, part.into().into()),
        }
    }

    /// Sets the stable code.
    pub fn code(mut self, code: Code) -> Self {
        self.meaning.code = Some(code);
        self
    }

    /// What to do about it.
    pub fn fix(mut self, fix: impl fmt::Display) -> Self {
        self.meaning.fix = fix.to_string().into();
        self
    }

    /// Whether the registry also serves anonymous clients.
    pub fn is_dispensable(&self) -> bool {
        self.meaning.next == Next::GoWithout
    }

    /// The part, the cause with its own causes, and the fix.
    pub fn words(&self) -> (String, String, String) {
        let Meaning { part, fix, .. } = &self.meaning;
        (part.to_string(), self.cause.clone(), fix.to_string())
    }

    /// Ends the request.
    pub fn failed(self) -> Error {
        Error::Failed(Box::new(self))
    }

    /// Ends the request unless a cached last answer can be used.
    pub fn unreachable(self) -> Error {
        Error::Unreachable(Box::new(self))
    }
}

impl Error {
    /// The stable code, if there is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NotFound => Some(Code::CredentialNotFound),
            Self::Protocol(_) => Some(Code::InputBadServerUrl),
            Self::Usage => Some(Code::InputUsage),
            Self::Told | Self::Exited(_) => None,
            Self::Failed(problem) | Self::Unreachable(problem) => problem.meaning.code,
        }
    }

    /// One line of JSON for programs: `{"error":{"code","registry","part","cause","fix"}}`, without members that don't
    /// apply.
    pub fn json(&self) -> String {
        let (registry, (part, cause, fix)) = match self {
            Self::Failed(problem) | Self::Unreachable(problem) => {
                (problem.registry.as_deref(), problem.words())
            }
            _ => (None, (String::new(), self.to_string(), String::new())),
        };
        let [part, cause, fix] = [part, cause, fix].map(|text| without_logins(&text).into_owned());
        let report = Report {
            error: Described {
                code: self.code(),
                registry,
                part,
                cause,
                fix,
            },
        };
        // The report has only strings, so serializing it cannot fail.
        serde_json::to_string(&report).unwrap_or_default()
    }

    /// Adds the requested registry, if the failing code did not know it.
    pub fn about(mut self, registry: &str) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.registry.get_or_insert_with(|| registry.to_owned());
        }
        self
    }

    /// The same mark on a [`Problem`].
    pub fn answered(mut self) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.meaning.answered = true;
        }
        self
    }

    /// Whether this is the provider's own answer.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(problem) | Self::Unreachable(problem) if problem.meaning.answered)
    }

    /// Whether a token or password is wrong, or may not do this.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed(problem) if problem.meaning.next == Next::Refuse)
    }

    /// A copy, if this is a refusal, after which `list` fails too.
    pub fn refusal(&self) -> Option<Self> {
        let Self::Failed(problem) = self else {
            return None;
        };
        let mut problem = Problem::clone(problem);
        problem.registry = None;
        self.is_refusal().then(|| problem.failed())
    }
}

#[derive(Serialize)]
struct Report<'a> {
    error: Described<'a>,
}

#[derive(Serialize)]
struct Described<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    cause: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

/// Faults that don't prevent the answer; printed on standard error after it.
#[derive(Debug, Default)]
pub struct Warnings(RefCell<Vec<String>>);

impl Warnings {
    /// Adds a warning.
    pub fn add(&self, warning: impl fmt::Display) {
        self.0.borrow_mut().push(warning.to_string());
    }

    /// Takes all warnings out.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str(NOT_FOUND),
            Self::Protocol(text) => f.write_str(text),
            Self::Told | Self::Exited(_) => f.write_str("it failed, as said before"),
            Self::Usage => f.write_str(
                "usage: docker-credential-beta9 get|store|erase|list|version, or --help",
            ),
            Self::Failed(problem) | Self::Unreachable(problem) => problem.fmt(f),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Meaning { part, fix, .. } = &self.meaning;
        if let Some(registry) = &self.registry {
            write!(f, "{registry}: ")?;
        }
        if !part.is_empty() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.cause)?;
        if !fix.is_empty() {
            write!(f, "; {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The text that docker's clients compare with, byte for byte.
pub const NOT_FOUND: &str = "credentials not found in native keychain";
/// The fixed answer to an empty server URL.
pub const NO_SERVER_URL: &str = "no credentials server URL";
/// The fixed answer to a `store` without a user name.
pub const NO_USERNAME: &str = "no credentials username";
