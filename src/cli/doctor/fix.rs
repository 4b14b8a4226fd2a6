//! `doctor --fix`: shows and runs the fixes that change only this user's own files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::finding::{Fix, State, shell};
use super::report::Report;
use crate::Io;
use crate::cli::errors::CliError;
use crate::cli::style::Style;
use crate::cli::{print, question};
use crate::client::PROGRAM;
use crate::config::Env;
use crate::error::Error;
use crate::shown::shown;

/// Shows and runs fixes until none is left that was not tried; returns the last report.
pub(super) fn fix(
    mut report: Report,
    yes: bool,
    examine: &dyn Fn() -> Report,
    env: &Env,
    io: &mut Io,
) -> Result<Report, Error> {
    if !yes && !io.input.is_terminal() {
        return Err(CliError::NoTerminal.into());
    }
    let style = Style::of(io.err, env);
    let mut tried: Vec<Vec<String>> = Vec::new();
    loop {
        let mut commands = own(&report, env);
        commands.retain(|command| !tried.contains(command));
        if commands.is_empty() {
            return Ok(report);
        }
        let would = style.bold("this would fix it, and changes this user's own files only:");
        print(io.err, format_args!("{would}\n"))?;
        for command in &commands {
            print(io.err, format_args!("  {}\n", text(command)))?;
        }
        if !yes && !question::yes(io.input, io.err, "run it?")? {
            return Ok(report);
        }
        for command in commands {
            if let Err(why) = run(&command) {
                let failed = text(&command);
                print(io.err, format_args!("failed: {failed}: {why}\n"))?;
            }
            tried.push(command);
        }
        report = examine();
    }
}

fn text(command: &Vec<String>) -> String {
    shell(std::slice::from_ref(command)).join(" ")
}

/// The commands of all fixes that consist only of such commands.
fn own(report: &Report, env: &Env) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for (_, finding) in report.findings() {
        if let Some(Fix::Commands(commands)) = &finding.fix
            && finding.state >= State::Warn
            && commands.iter().all(|command| is_own(command, env))
        {
            for command in commands {
                if !all.contains(command) {
                    all.push(command.clone());
                }
            }
        }
    }
    all
}

/// Whether a command changes only this user's own files.
fn is_own(command: &[String], env: &Env) -> bool {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        // These refuse other users' files by themselves.
        [
            PROGRAM,
            "configure" | "import",
            "docker" | "podman",
            options @ ..,
        ] => !options.contains(&"--system"),
        ["chmod", _, file] | ["mv", file, _] | ["rm", file] | ["sed", "-i", _, file] => {
            is_mine(Path::new(file))
        }
        ["ln", "-sf", _, link] => Path::new(link)
            .parent()
            .zip(env.home())
            .is_some_and(|(dir, home)| dir.starts_with(home) && is_mine(dir)),
        _ => false,
    }
}

fn is_mine(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    fs::metadata(path).is_ok_and(|file| file.uid() == me)
}

/// Runs a command. Its output is reported only if it fails.
fn run(words: &[String]) -> Result<(), String> {
    let program = match words[0].as_str() {
        PROGRAM => std::env::current_exe().map_err(|error| error.to_string())?,
        other => other.into(),
    };
    let output = Command::new(program)
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said
        .lines()
        .find(|line| !line.is_empty())
        .unwrap_or("it says nothing");
    Err(shown(line).to_string())
}
