//! The one error type: each variant says what the caller does next, and every message names who, what and the way out.

mod code;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

pub use code::Code;

use serde::Serialize;

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
    /// It cannot be answered until somebody mends something: everything stops.
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
#[derive(Debug)]
pub struct Meaning {
    code: Code,
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
        Self {
            code,
            part: part.into(),
            fix: Cow::Borrowed(""),
            next: Next::Stop,
            answered: false,
        }
    }

    /// What to do about it, as a command.
    #[must_use]
    pub fn fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        let fix = fix.into();
        Self { fix, ..self }
    }

    /// A token or password is wrong, or may not do this: a `list` has no answer either.
    #[must_use]
    pub fn refused(self) -> Self {
        let next = Next::Refuse;
        Self { next, ..self }
    }

    /// The login was denied, and the registry serves those who do not log in.
    #[must_use]
    pub fn dispensable(self) -> Self {
        let next = Next::GoWithout;
        Self { next, ..self }
    }

    /// It was out of reach: an answer that is remembered may do.
    #[must_use]
    pub fn unreachable(self) -> Self {
        let next = Next::Bridge;
        Self { next, ..self }
    }

    /// The provider itself said so: it is no fault of this process, its environment or the way there.
    #[must_use]
    pub fn answered(self) -> Self {
        let answered = true;
        Self { answered, ..self }
    }
}

impl<F: Fault> From<F> for Error {
    fn from(fault: F) -> Self {
        let meaning = fault.meaning();
        let source = fault.source().map(|source| format!(": {source}"));
        let problem = Box::new(Problem {
            code: Some(meaning.code),
            registry: None,
            part: meaning.part.into_owned(),
            cause: format!("{fault}{}", source.unwrap_or_default()),
            fix: meaning.fix.into_owned(),
            refused: meaning.next == Next::Refuse,
            dispensable: meaning.next == Next::GoWithout,
            source: None,
            answered: meaning.answered,
        });
        match meaning.next {
            Next::Bridge => Self::Unreachable(problem),
            Next::Stop | Next::Refuse | Next::GoWithout => Self::Failed(problem),
        }
    }
}

/// A failure as people read it, in one line: `registry: part: cause; fix`. Never holds a secret or a response body.
#[derive(Debug, Default)]
pub struct Problem {
    code: Option<Code>,
    registry: Option<String>,
    part: String,
    cause: String,
    fix: String,
    refused: bool,
    dispensable: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    answered: bool,
}

impl Problem {
    /// A failure of `part` (a store, a backend, a file, the input), for this reason.
    pub fn new(part: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            part: part.into(),
            cause: cause.to_string(),
            ..Self::default()
        }
    }

    /// The name that programs know it by.
    #[must_use]
    pub fn code(self, code: Code) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl fmt::Display) -> Self {
        self.fix = fix.to_string();
        self
    }

    /// The error below it.
    #[must_use]
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The login was denied, and the registry serves those who do not log in.
    #[must_use]
    pub fn dispensable(self, dispensable: bool) -> Self {
        Self {
            dispensable,
            ..self
        }
    }

    /// Whether the registry can do without the login that failed.
    #[must_use]
    pub fn is_dispensable(&self) -> bool {
        self.dispensable
    }

    /// The part, the cause with what lies below it, and the fix.
    #[must_use]
    pub fn words(&self) -> (String, String, String) {
        let below = self
            .source
            .as_ref()
            .map_or(String::new(), |source| format!(": {source}"));
        (
            self.part.clone(),
            format!("{}{below}", self.cause),
            self.fix.clone(),
        )
    }

    /// It stops everything.
    #[must_use]
    pub fn failed(self) -> Error {
        Error::Failed(Box::new(self))
    }

    /// It stops everything: a token or password is wrong, or may not do this.
    #[must_use]
    pub fn refused(self) -> Error {
        Self {
            refused: true,
            ..self
        }
        .failed()
    }

    /// It is out of reach, which a remembered answer may bridge.
    #[must_use]
    pub fn unreachable(self) -> Error {
        Error::Unreachable(Box::new(self))
    }
}

impl Error {
    /// The name that programs know it by.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NotFound => Some(Code::CredentialNotFound),
            Self::Protocol(_) => Some(Code::InputBadServerUrl),
            Self::Usage => Some(Code::InputUsage),
            Self::Told | Self::Exited(_) => None,
            Self::Failed(problem) | Self::Unreachable(problem) => problem.code,
        }
    }

    /// As programs read it: one line `{"error":{"code","registry","part","cause","fix"}}`, without what it does not have.
    #[must_use]
    pub fn json(&self) -> String {
        let (registry, (part, cause, fix)) = match self {
            Self::Failed(problem) | Self::Unreachable(problem) => {
                (problem.registry.as_deref(), problem.words())
            }
            _ => (None, (String::new(), self.to_string(), String::new())),
        };
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
    #[must_use]
    pub fn about(mut self, registry: &str) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.registry.get_or_insert_with(|| registry.to_owned());
        }
        self
    }

    /// The provider itself said so: it isn't a fault of this process, its environment or the way there.
    #[must_use]
    pub fn answered(mut self) -> Self {
        if let Self::Failed(problem) | Self::Unreachable(problem) = &mut self {
            problem.answered = true;
        }
        self
    }

    /// Whether the provider itself said so.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(problem) | Self::Unreachable(problem) if problem.answered)
    }

    /// Whether a token or password is wrong, or may not do this.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed(problem) if problem.refused)
    }

    /// The same once more where it is a refusal, after which even a `list` has no answer.
    #[must_use]
    pub fn refusal(&self) -> Option<Self> {
        let Self::Failed(problem) = self else {
            return None;
        };
        let (part, cause, fix) = problem.words();
        let again = Problem {
            code: problem.code,
            ..Problem::new(part, cause).fix(fix)
        };
        problem.refused.then(|| again.refused())
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
    #[must_use]
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
        if let Some(registry) = &self.registry {
            write!(f, "{registry}: ")?;
        }
        if !self.part.is_empty() {
            write!(f, "{}: ", self.part)?;
        }
        f.write_str(&self.cause)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(problem) | Self::Unreachable(problem) => {
                problem.source.as_deref().map(|source| source as _)
            }
            _ => None,
        }
    }
}

/// The text that docker's clients compare with, to the byte.
pub const NOT_FOUND: &str = "credentials not found in native keychain";
/// The fixed answer to an empty server URL.
pub const NO_SERVER_URL: &str = "no credentials server URL";
/// The fixed answer to a `store` without a user name.
pub const NO_USERNAME: &str = "no credentials username";
