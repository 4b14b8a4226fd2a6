//! `check IMAGE…`: sends the credential that a pull would get to the registry, and reports the answer.

mod checked;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::checked::Checked;
use super::style::Style;
use super::{flag, image_arg, images, option, outcome, print};
use crate::Io;
use crate::config::Env;
use crate::error::Error;
use crate::host::{Host, ImageRef};

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Log in to an image's registry as a pull would, and report the result")
        .arg(image_arg())
        .arg(token_host())
        .arg(flag("json", "Print one JSON object per line, one for each image"))
        .after_help("The credential goes to the registry, and to the token server on the registry's own host or on the one that its vendor documents. Nothing is pulled.\n\nAuthorities and client certificates of the registry are read from certs.d, as docker and podman read them. Several images are checked side by side.\n\nExit status: 0 when every image can be pulled; 1 otherwise.\n\nExample: docker-credential-beta9 check ghcr.io/org/app:1.2")
}

/// The option for token servers that the operator trusts.
pub(super) fn token_host() -> Arg {
    let help = "A token server that the credential may go to as well, such as that of a GitLab of your own";
    option("token-host", "HOST", help)
        .action(ArgAction::Append)
        .value_parser(|text: &str| Host::parse(text.as_bytes()))
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let images = images(matches)?;
    let token_hosts = matches.get_many("token-host").unwrap_or_default();
    let token_hosts: Vec<Host> = token_hosts.cloned().collect();
    let style = Style::of(io.out, env);
    let json = matches.get_flag("json");
    let mut all_pulled = true;
    let mut between = "";
    side_by_side(&images, &token_hosts, env, io, |checked, io| {
        let checked = checked?;
        all_pulled &= checked.is_pulled();
        for warning in &checked.warnings {
            crate::warn(io.err, warning);
        }
        let text = if json {
            checked.json().to_string()
        } else {
            checked.human(style)
        };
        print(io.out, format_args!("{between}{text}"))?;
        between = if json { "" } else { "\n" };
        Ok(())
    })?;
    outcome(!all_pulled)
}

/// Checks several images in parallel, and shows the results in order as soon as possible. Each has the timeout of a
/// pull.
fn side_by_side<'a>(
    images: &'a [ImageRef],
    token_hosts: &[Host],
    env: &Env,
    io: &mut Io,
    mut show: impl FnMut(Result<Checked<'a>, Error>, &mut Io) -> Result<(), Error>,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..images.len().min(AT_ONCE) {
            let (next, tell, env) = (&next, tell.clone(), env.clone());
            scope.spawn(move || {
                let take = || {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    images.get(at).map(|image| (at, image))
                };
                while let Some((at, image)) = take() {
                    let checked = Checked::of(image, token_hosts, &env);
                    if tell.send((at, checked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut progress = Progress {
            all: images.len(),
            shown: false,
        };
        let (mut waiting, mut first) = (BTreeMap::new(), 0);
        loop {
            match told.recv_timeout(PATIENCE) {
                Ok((at, checked)) => {
                    waiting.insert(at, checked);
                }
                Err(RecvTimeoutError::Timeout) => progress.show(first + waiting.len(), io),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Some(checked) = waiting.remove(&first) {
                progress.hide(io);
                first += 1;
                if let Err(error) = show(checked, io) {
                    // Checks that have not begun need not begin.
                    next.store(images.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    })
}

/// A progress line on a terminal's standard error.
struct Progress {
    all: usize,
    shown: bool,
}

impl Progress {
    fn show(&mut self, done: usize, io: &mut Io) {
        if io.err.is_terminal() {
            self.hide(io);
            // A failure to write the line does not matter.
            _ = write!(io.err, "{done} of {} checked", self.all).and_then(|()| io.err.flush());
            self.shown = true;
        }
    }

    fn hide(&mut self, io: &mut Io) {
        if std::mem::take(&mut self.shown) {
            _ = write!(io.err, "\r{:WIDTH$}\r", "").and_then(|()| io.err.flush());
        }
    }
}

/// How many registries are asked in parallel.
const AT_ONCE: usize = 8;
/// How long to wait before showing progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// In columns; wider than the line.
const WIDTH: usize = 60;
