//! `Report`: all findings by group, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use zeroize::Zeroizing;

use super::finding::{Finding, Fix, State, shell};
use crate::cli::rows::{WIDTH, wrap};
use crate::cli::style::Style;
use crate::json;

/// All findings, in groups.
#[derive(Default)]
pub(super) struct Report {
    groups: Vec<(&'static str, Vec<Finding>)>,
}

/// What programs read of it.
#[derive(Serialize)]
struct Object<'a> {
    healthy: bool,
    broken: usize,
    warnings: usize,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'static str,
    state: &'static str,
    part: &'static str,
    cause: &'a str,
    fix: Option<String>,
    command: Option<String>,
}

impl Report {
    pub(super) fn add(&mut self, group: &'static str, findings: impl IntoIterator<Item = Finding>) {
        self.groups.push((group, findings.into_iter().collect()));
    }

    /// The number of findings in this state.
    pub(super) fn count(&self, state: State) -> usize {
        let findings = self.findings();
        findings.filter(|(_, one)| one.state == state).count()
    }

    /// All findings, each with its group.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        let groups = self.groups.iter();
        groups.flat_map(|(group, findings)| findings.iter().map(move |one| (*group, one)))
    }

    pub(super) fn json(&self) -> Zeroizing<String> {
        let findings = self.findings().map(|(part, finding)| {
            let (fix, command) = match &finding.fix {
                Some(Fix::Commands(commands)) => (Some(shell(commands).join(" ")), true),
                Some(Fix::Words(words)) => (Some(words.clone()), false),
                None => (None, false),
            };
            Found {
                code: finding.code,
                state: finding.state.word(),
                part,
                cause: &finding.what,
                command: fix.clone().filter(|_| command),
                fix,
            }
        });
        let broken = self.count(State::Broken);
        json::line(&Object {
            healthy: broken == 0,
            broken,
            warnings: self.count(State::Warn),
            findings: findings.collect(),
        })
    }

    pub(super) fn human(&self, style: Style) -> String {
        let mut text = String::new();
        for (group, findings) in &self.groups {
            _ = writeln!(text, "{}", style.bold(group));
            for finding in findings {
                text.push_str(&finding.human(style));
            }
        }
        let (broken, warnings) = (self.count(State::Broken), self.count(State::Warn));
        let said = |count: usize, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let counts = [
            said(broken, "thing is broken", "things are broken"),
            said(warnings, "warning", "warnings"),
        ];
        let mut verdict: Vec<_> = counts.into_iter().flatten().collect();
        if verdict.is_empty() {
            verdict.push("nothing is broken".to_owned());
        }
        let paint = if broken == 0 { Style::good } else { Style::bad };
        let verdict = paint(style, verdict.join(", "));
        _ = writeln!(text, "\n{verdict}");
        text
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warning",
            Self::Broken => "broken",
        }
    }
}

impl Finding {
    fn human(&self, style: Style) -> String {
        let word = self.state.word();
        let mark = match self.state {
            State::Ok => style.good(word),
            State::Note | State::Warn => style.bold(word),
            State::Broken => style.bad(word),
        };
        let mut text = format!("  {mark:<MARK$}{}\n", wrapped(self.what.split(' '), ""));
        let fix = match &self.fix {
            // Wrapped such that it is still the same command when pasted into a shell.
            Some(Fix::Commands(commands)) => {
                let words = shell(commands);
                let words = words.iter().map(String::as_str);
                wrapped(["fix:"].into_iter().chain(words), " \\")
            }
            Some(Fix::Words(words)) => wrapped(["fix:"].into_iter().chain(words.split(' ')), ""),
            None => return text,
        };
        _ = writeln!(text, "{:INDENT$}{fix}", "");
        text
    }
}

/// Wraps words to the terminal's width, indenting all lines but the first; `joint` ends each line but the last.
fn wrapped<'w>(words: impl IntoIterator<Item = &'w str>, joint: &str) -> String {
    let lines = wrap(words, WIDTH - INDENT, joint);
    lines.join(&format!("\n{:INDENT$}", ""))
}

const MARK: usize = 8;
const INDENT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    #[test]
    fn long_texts_and_commands_are_broken_so_that_a_shell_still_takes_them() {
        let mut report = Report::default();
        let word = "w".repeat(30);
        report.add(
            "files",
            [
                Finding::broken("file.not_directory", [word.as_str(); 3].join(" "))
                    .command("mv", [&word; 3]),
            ],
        );
        let style = Style::of(&Vec::new(), &Env::of([]));
        let expected = format!(
            "files\n  broken  {word} {word}\n          {word}\n          fix: mv {word} \\\n          {word} {word}\n\n1 thing is broken\n"
        );
        assert_eq!(report.human(style), expected);
    }

    #[test]
    fn json_has_the_counts_and_each_finding_with_its_fix() {
        let mut report = Report::default();
        report.add(
            "program",
            [
                Finding::ok("program.found", "there"),
                Finding::warn("program.other_build", "old").words("update it"),
            ],
        );
        report.add(
            "files",
            [Finding::broken("file.unsafe", "open").command("chmod 600", ["/a b"])],
        );
        assert_eq!(
            report.json().as_str(),
            concat!(
                r#"{"healthy":false,"broken":1,"warnings":1,"findings":["#,
                r#"{"code":"program.found","state":"ok","part":"program","cause":"there","fix":null,"command":null},"#,
                r#"{"code":"program.other_build","state":"warning","part":"program","cause":"old","fix":"update it","command":null},"#,
                r#"{"code":"file.unsafe","state":"broken","part":"files","cause":"open","fix":"chmod 600 '/a b'","command":"chmod 600 '/a b'"}]}"#,
                "\n"
            )
        );
    }
}
