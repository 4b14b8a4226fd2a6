//! The one error type: each variant says what the caller does next, and every message names who, what and the way out.

mod code;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

pub use code::Code;

use serde::Serialize;

use crate::shown::without_logins;

/// What went wrong, by what happens next.
#[derive(Debug)]
pub enum Error {
    /// Certainly nothing here: the next store is asked, and in the end docker goes on anonymously.
    NotFound,
    /// The client broke the protocol in a way that has a fixed answer.
    Protocol(&'static str),
    /// The command line is wrong: usage is shown.
    Usage,
    /// All has been said already; only the exit status is left.
    Told,
    /// A program that was run failed, and has said why; its exit status is passed on.
    Exited(u8),
    /// It cannot be answered until somebody fixes something: everything stops.
    Failed(Box<Problem>),
    /// A store or provider could not be reached: a remembered answer may do, otherwise everything stops.
    Unreachable(Box<Problem>),
}

/// An error type of a room: an enum whose `Display` is the cause, and which says what follows from each variant. With `?` it becomes
/// an [`Error`]. No variant holds a secret or a response body.
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// What follows from it.
    fn meaning(&self) -> Meaning;
}

/// What follows from a failure.
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
    /// Everything stops. `part` is the store, backend, file or input that failed.
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

    /// What to do about it, as a command.
    pub fn fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        let fix = fix.into();
        Self { fix, ..self }
    }

    /// A token or password is wrong, or may not do this: a `list` has no answer either.
    pub fn refused(self) -> Self {
        let next = Next::Refuse;
        Self { next, ..self }
    }

    /// The login was denied, and the registry serves those who do not log in.
    pub fn dispensable(self) -> Self {
        let next = Next::GoWithout;
        Self { next, ..self }
    }

    /// It was out of reach: an answer that is remembered may do.
    pub fn unreachable(self) -> Self {
        let next = Next::Bridge;
        Self { next, ..self }
    }

    /// The provider itself said so: it isn't a fault of this process, its environment or the way there.
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

/// A failure as people read it, in one line: `registry: part: cause; fix`. Never holds a secret or a response body.
#[derive(Clone, Debug)]
pub struct Problem {
    registry: Option<String>,
    cause: String,
    meaning: Meaning,
}

impl Problem {
    /// A failure of `part` (a store, a backend, a file, the input), for this reason.
    pub fn new(part: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            registry: None,
            cause: cause.to_string(),
            meaning: Meaning::of(None, part.into().into()),
        }
    }

    /// The name that programs know it by.
    pub fn code(mut self, code: Code) -> Self {
        self.meaning.code = Some(code);
        self
    }

    /// What to do about it.
    pub fn fix(mut self, fix: impl fmt::Display) -> Self {
        self.meaning.fix = fix.to_string().into();
        self
    }

    /// The login was denied, and the registry serves those who do not log in.
    pub fn dispensable(mut self, dispensable: bool) -> Self {
        if dispensable {
            self.meaning.next = Next::GoWithout;
        }
        self
    }

    /// Whether the registry can do without the login that failed.
    pub fn is_dispensable(&self) -> bool {
        self.meaning.next == Next::GoWithout
    }

    /// The part, the cause with what lies below it, and the fix.
    pub fn words(&self) -> (String, String, String) {
        let Meaning { part, fix, .. } = &self.meaning;
        (part.to_string(), self.cause.clone(), fix.to_string())
    }

    /// It stops everything.
    pub fn failed(self) -> Error {
        Error::Failed(Box::new(self))
    }

    /// It is out of reach, which a remembered answer may bridge.
    pub fn unreachable(self) -> Error {
        Error::Unreachable(Box::new(self))
    }
}

impl Error {
    /// The name that programs know it by.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NotFound => Some(Code::CredentialNotFound),
            Self::Protocol(_) => Some(Code::InputBadServerUrl),
            Self::Usage => Some(Code::InputUsage),
            Self::Told | Self::Exited(_) => None,
            Self::Failed(problem) | Self::Unreachable(problem) => problem.meaning.code,
        }
    }

    /// As programs read it: one line `{"error":{"code","registry","part","cause","fix"}}`, without what it does not have.
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
                code: self.code().map(Code::as_str),
                registry,
                part,
                cause,
                fix,
            },
        };
        // It holds nothing but texts, which can always be written.
        serde_json::to_string(&report).unwrap_or_default()
    }

    /// Names the registry that was asked for, where the place that failed did not know it.
    pub fn about(mut self, registry: &str) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.registry.get_or_insert_with(|| registry.to_owned());
        }
        self
    }

    /// The provider itself said so: it isn't a fault of this process, its environment or the way there.
    pub fn answered(mut self) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.meaning.answered = true;
        }
        self
    }

    /// Whether the provider itself said so.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(problem) | Self::Unreachable(problem) if problem.meaning.answered)
    }

    /// Whether a token or password is wrong, or may not do this.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed(problem) if problem.meaning.next == Next::Refuse)
    }

    /// The same once more where it is a refusal, after which even a `list` has no answer.
    pub fn refusal(&self) -> Option<Self> {
        match self {
            Self::Failed(problem) if self.is_refusal() => {
                let registry = None;
                Some(
                    Problem {
                        registry,
                        ..Problem::clone(problem)
                    }
                    .failed(),
                )
            }
            _ => None,
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    error: Described<'a>,
}

#[derive(Serialize)]
struct Described<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    cause: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

/// What went wrong on the way to an answer without hindering it; told on standard error once the answer is there.
#[derive(Debug, Default)]
pub struct Warnings(RefCell<Vec<String>>);

impl Warnings {
    /// Adds one.
    pub fn add(&self, warning: impl fmt::Display) {
        self.0.borrow_mut().push(warning.to_string());
    }

    /// All there are; then there are none.
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

/// The text that docker's clients compare with, to the byte.
pub const NOT_FOUND: &str = "credentials not found in native keychain";
/// The fixed answer to an empty server URL.
pub const NO_SERVER_URL: &str = "no credentials server URL";
/// The fixed answer to a `store` without a user name.
pub const NO_USERNAME: &str = "no credentials username";
