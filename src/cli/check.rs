//! `check IMAGE…`: the credential that a pull would get, shown to the registry, and what the registry says to it.

use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::rows::Rows;
use super::style::Style;
use super::{images, unwritable};
use crate::Io;
use crate::config::{Config, Env};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Host, ImageRef, Scheme, ServerUrl};
use crate::json::ObjectWriter;
use crate::resolver::Resolver;
use crate::verify::{Login, Question, Report, Taken, Verdict};

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Log in to the registry of an image as a pull would, and say what it answers")
        .arg(Arg::new("image").value_name("IMAGE").required(true).num_args(1..).help("The image references"))
        .arg(
            Arg::new("token-host")
                .long("token-host")
                .value_name("HOST")
                .action(ArgAction::Append)
                .value_parser(|text: &str| Host::parse(text.as_bytes()))
                .help("A token server that the credential may go to as well, such as that of a GitLab of your own"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object a line, one for each image"))
        .after_help("The credential goes to the registry, and to the token server on the registry's own host or on the one that its vendor documents. Nothing is pulled.\n\nExit status: 0 when every image can be pulled; 1 otherwise.\n\nExample: docker-credential-beta9 check ghcr.io/org/app:1.2")
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let images = images(matches)?;
    let token_hosts: Vec<Host> = matches
        .get_many("token-host")
        .unwrap_or_default()
        .cloned()
        .collect();
    let style = Style::of(io.out, env);
    let mut all_pulled = true;
    for (count, image) in images.iter().enumerate() {
        let checked = Checked::of(image, &token_hosts, env, io)?;
        all_pulled &= checked.is_pulled();
        let text = if matches.get_flag("json") {
            checked.json().to_string()
        } else {
            checked.human(style)
        };
        let between = if count > 0 && !matches.get_flag("json") {
            "\n"
        } else {
            ""
        };
        write!(io.out, "{between}{text}").map_err(unwritable)?;
    }
    if all_pulled { Ok(()) } else { Err(Error::Told) }
}

/// An image, the credential that there is for it, and what came of it.
struct Checked<'a> {
    image: &'a ImageRef,
    credential: Result<Option<Credential>, String>,
    /// Whether clients that name the registry and not the repository get another answer.
    by_path: bool,
    /// `None` where a pull would not get as far as the registry.
    report: Option<Result<Report, String>>,
}

impl<'a> Checked<'a> {
    fn of(
        image: &'a ImageRef,
        token_hosts: &[Host],
        env: &Env,
        io: &mut Io,
    ) -> Result<Self, Error> {
        // Each image has the time of a pull of its own.
        let config = Config::load(env)?;
        let (timeout, log) = (config.timeout, env.log());
        let resolver = Resolver::new(config)?;
        let url = ServerUrl::Registry {
            host: image.host.clone(),
            scheme: Scheme::Https,
            path: image.repository.clone(),
        };
        let credential =
            match resolver.audited("check", Some(image.host.as_reference()), |resolver| {
                resolver.get(&url)
            }) {
                Ok(credential) => Ok(Some(credential)),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(crate::one_line(&error)),
            };
        super::warn(io, &resolver);
        let rule = |path| {
            resolver
                .config()
                .rule(&image.host, path)
                .map(std::ptr::from_ref)
        };
        let by_path = rule(&image.repository) != rule("");
        let report = credential.as_ref().ok().map(|credential| {
            let deadline = Instant::now() + timeout;
            let question = Question {
                image,
                credential: credential.as_ref(),
                token_hosts,
                deadline,
                log,
            };
            question.ask().map_err(|error| crate::one_line(&error))
        });
        Ok(Self {
            image,
            credential,
            by_path,
            report,
        })
    }

    fn is_pulled(&self) -> bool {
        matches!(&self.report, Some(Ok(report)) if report.verdict.is_pulled())
    }

    /// The word for programs, what happened, and what to do.
    fn outcome(&self) -> (&'static str, String, String) {
        match (&self.credential, &self.report) {
            (_, Some(Ok(report))) => (
                report.verdict.word(),
                report.verdict.to_string(),
                report.verdict.fix(self.image),
            ),
            (_, Some(Err(line))) => ("network", line.clone(), String::new()),
            (Err(line), None) => ("no-answer", line.clone(), String::new()),
            (Ok(_), None) => ("no-answer", String::new(), String::new()),
        }
    }

    fn login(&self) -> Option<&Login> {
        self.report.as_ref()?.as_ref().ok()?.login.as_ref()
    }

    fn taken(&self) -> Option<Taken> {
        self.report.as_ref()?.as_ref().ok()?.taken
    }

    fn digest(&self) -> Option<&str> {
        match &self.report.as_ref()?.as_ref().ok()?.verdict {
            Verdict::Pulled(digest) => digest.as_deref(),
            _ => None,
        }
    }

    fn json(&self) -> zeroize::Zeroizing<String> {
        let (verdict, cause, fix) = self.outcome();
        let found = self.credential.as_ref().map_or("failed", |found| {
            if found.is_some() { "found" } else { "none" }
        });
        let (login, token_host) = match self.login() {
            None => (None, None),
            Some(Login::Basic) => (Some("basic"), None),
            Some(Login::Bearer(host)) => (Some("bearer"), host.as_ref().map(Host::as_str)),
        };
        let taken = self.taken().map(|taken| match taken {
            Taken::Yes => "yes",
            Taken::No => "no",
            Taken::Unknown => "unknown",
        });
        let mut out = ObjectWriter::with_capacity(512);
        out.text("image", &self.name())
            .text("host", self.image.host.as_reference());
        out.flag("pulled", self.is_pulled())
            .text("verdict", verdict)
            .text("cause", &cause)
            .text("fix", &fix);
        out.text("credential", found).optional("accepted", taken);
        out.optional("login", login)
            .optional("token_host", token_host)
            .optional("digest", self.digest());
        out.finish()
    }

    fn human(&self, style: Style) -> String {
        let mut rows = Rows::new(2, 12);
        rows.heading(&self.name(), style);
        match &self.credential {
            Ok(Some(credential)) => {
                rows.plain("credential", &format!("found, {}", who(credential)));
            }
            Ok(None) => rows.plain("credential", "not found; asked as everybody may"),
            Err(_) => rows.plain("credential", "could not be had"),
        }
        if self.by_path {
            rows.plain(
                "rule",
                "one for this path; docker and podman name no path, and get another answer",
            );
        }
        match self.login() {
            None => {}
            Some(Login::Basic) => {
                rows.plain("login", "user name and password, to the registry itself");
            }
            Some(Login::Bearer(server)) => {
                let server = server
                    .as_ref()
                    .map_or("a place that is no host", Host::as_str);
                rows.plain("login", &format!("a token, from {server}"));
            }
        }
        match self.taken() {
            None => {}
            Some(Taken::Yes) => rows.plain("accepted", "yes"),
            Some(Taken::No) if self.login().is_none() => {
                rows.plain(
                    "accepted",
                    "no, but the registry asks nobody for a credential",
                );
            }
            Some(Taken::No) => rows.plain("accepted", "no"),
            Some(Taken::Unknown) if self.login().is_none() => {
                rows.plain(
                    "accepted",
                    "cannot be known: the registry asks nobody for a credential",
                );
            }
            Some(Taken::Unknown) => rows.plain("accepted", "not known"),
        }
        let (_, cause, fix) = self.outcome();
        if self.is_pulled() {
            rows.row("pull", &format!("works: {cause}"), |line| {
                style.good(line).to_string()
            });
        } else {
            rows.row("pull", &format!("fails: {cause}"), |line| {
                style.bad(line).to_string()
            });
        }
        if !fix.is_empty() {
            rows.plain("fix", &fix);
        }
        rows.finish()
    }

    /// The image's name in full, as it was understood.
    fn name(&self) -> String {
        let image = self.image;
        let suffix = if image.suffix.is_empty() {
            ":latest"
        } else {
            &image.suffix
        };
        format!("{}/{}{suffix}", image.host, image.repository)
    }
}

fn who(credential: &Credential) -> String {
    match credential.shown_username() {
        None => "a token for user name and password".to_owned(),
        Some("<token>") => "an identity token".to_owned(),
        Some(name) => format!("user name {name}"),
    }
}
