//! `Finding`: the result of one check, its state and its fix.

use std::fmt::Display;
use std::path::Path;

use crate::client::PROGRAM;
use crate::error::Error;
use crate::host::Host;
use crate::shown::quoted;
use crate::trusted::FileError;

/// The result of one check.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The stable code, `area.kind`.
    pub(super) code: &'static str,
    pub(super) state: State,
    pub(super) what: String,
    pub(super) fix: Option<Fix>,
}

/// The state of what was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Good.
    Ok,
    /// Worth knowing, but fine.
    Note,
    /// Something may go wrong later, or could be safer.
    Warn,
    /// Some requests fail now.
    Broken,
}

/// How to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fix {
    /// Commands to run in order, each as a list of words.
    Commands(Vec<Vec<String>>),
    /// Something that only a person can do, in words.
    Words(String),
}

impl Finding {
    pub(super) fn new(code: &'static str, state: State, what: impl Display) -> Self {
        Self {
            code,
            state,
            what: what.to_string(),
            fix: None,
        }
    }

    pub(super) fn ok(code: &'static str, what: impl Display) -> Self {
        Self::new(code, State::Ok, what)
    }

    pub(super) fn note(code: &'static str, what: impl Display) -> Self {
        Self::new(code, State::Note, what)
    }

    pub(super) fn warn(code: &'static str, what: impl Display) -> Self {
        Self::new(code, State::Warn, what)
    }

    pub(super) fn broken(code: &'static str, what: impl Display) -> Self {
        Self::new(code, State::Broken, what)
    }

    /// A finding from an error: its cause, and its fix.
    pub(super) fn error(code: &'static str, state: State, error: &Error) -> Self {
        let (Error::Failed(problem) | Error::Unreachable(problem)) = error else {
            return Self::new(code, state, error);
        };
        let (_, _, fix) = problem.words();
        let all = problem.to_string();
        let what = all.strip_suffix(&format!("; {fix}")).unwrap_or(&all);
        Self::new(code, state, what.replace(char::is_control, " ")).remedy(&fix)
    }

    /// A finding for a client's file that a person must correct.
    pub(super) fn incorrect(path: &Path, cause: &str) -> Self {
        let what = format_args!("{}: {cause}", path.display());
        Self::broken("client.file_broken", what).words("correct it")
    }

    pub(super) fn fault(code: &'static str, state: State, fault: &FileError) -> Self {
        Self::new(code, state, &fault.cause).remedy(&fault.fix)
    }

    /// Adds a command to the fix: its first words, and words that may have spaces in them.
    pub(super) fn command<W: AsRef<str>>(
        mut self,
        first: &str,
        more: impl IntoIterator<Item = W>,
    ) -> Self {
        let more = more.into_iter().map(|word| word.as_ref().to_owned());
        let words = first.split(' ').map(str::to_owned).chain(more).collect();
        let mut commands = match self.fix {
            Some(Fix::Commands(before)) => before,
            _ => Vec::new(),
        };
        commands.push(words);
        self.fix = Some(Fix::Commands(commands));
        self
    }

    /// Adds a command without such words.
    pub(super) fn run(self, command: &str) -> Self {
        self.command(command, [""; 0])
    }

    /// Adds the command that wires a client for these registries.
    pub(super) fn configure(self, client: &str, hosts: &[&Host], force: bool) -> Self {
        let hosts: Vec<&str> = hosts.iter().map(|host| host.as_reference()).collect();
        let hosts = [hosts.join(",")].into_iter();
        self.command(
            &format!("{PROGRAM} configure {client} --hosts"),
            hosts.chain(force.then(|| "--force".to_owned())),
        )
    }

    /// Sets the fix to exporting a variable in the shell that starts the client.
    pub(super) fn export(self, name: &str, value: &str) -> Self {
        self.command("export", [format!("{name}={value}")])
    }

    pub(super) fn words(mut self, words: impl Display) -> Self {
        self.fix = Some(Fix::Words(words.to_string()));
        self
    }

    /// Sets the fix from an error's text, which may be a command.
    fn remedy(self, fix: &str) -> Self {
        let command = fix.strip_prefix("sudo ").unwrap_or(fix);
        let change = command.strip_prefix("chmod ");
        if let Some((_, path)) = change.and_then(|rest| rest.split_once(' '))
            && !path.contains(", or ")
        {
            return self.command(&fix[..fix.len() - path.len() - 1], [path]);
        }
        match fix.strip_prefix("run ") {
            Some(command) if command.starts_with(PROGRAM) => self.run(command),
            _ if fix.is_empty() => self,
            _ => self.words(fix),
        }
    }
}

/// A path as a word of a command.
pub(super) fn word(path: &Path) -> String {
    path.display().to_string()
}

/// Commands as shell text.
pub(super) fn shell(commands: &[Vec<String>]) -> Vec<String> {
    let quote = |words: &Vec<String>| words.iter().map(|word| quoted(word)).collect();
    let commands: Vec<Vec<String>> = commands.iter().map(quote).collect();
    commands.join(&"&&".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn a_remedy_that_is_a_command_is_one_and_any_other_is_words() {
        let fix = |fix: &str| {
            Finding::error(
                "store.lacking",
                State::Warn,
                &Problem::new("p", "c").fix(fix).failed(),
            )
            .fix
        };
        let command = |words: &[&str]| {
            Some(Fix::Commands(vec![
                words.iter().map(|&word| word.to_owned()).collect(),
            ]))
        };
        assert_eq!(fix("chmod 600 /a b"), command(&["chmod", "600", "/a b"]));
        assert_eq!(
            fix("run docker-credential-beta9 migrate"),
            command(&["docker-credential-beta9", "migrate"])
        );
        assert_eq!(fix("run it again"), Some(Fix::Words("run it again".into())));
        assert_eq!(fix(""), None);
        let finding = Finding::error(
            "store.lacking",
            State::Warn,
            &Problem::new("store", "gone")
                .fix("x")
                .failed()
                .about("ghcr.io"),
        );
        assert_eq!(finding.what, "ghcr.io: store: gone");
    }
}
