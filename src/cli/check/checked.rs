//! One image: its credential, and its registry's answer.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::clients::{ClientLines, ClientObject};
use crate::cli::rows::Rows;
use crate::cli::slip;
use crate::cli::style::Style;
use crate::config::{Config, Env};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Host, ImageRef, Scheme, ServerUrl};
use crate::json;
use crate::resolver::Resolver;
use crate::verify::{CertDirs, Login, Question, Report, Taken, Verdict};

/// An image, its credential and the result.
pub(super) struct Checked<'a> {
    image: &'a ImageRef,
    credential: Result<Option<Credential>, String>,
    /// Whether clients that ask for the registry without the repository get a different credential.
    by_path: bool,
    /// The files of certs.d that were used.
    files: Vec<PathBuf>,
    /// `None` if a pull would not reach the registry.
    report: Option<Result<Report, String>>,
    /// Where each client gets its credential.
    clients: ClientLines,
    /// The registry that was probably meant, if a credential is needed and missing.
    slip: Option<String>,
    /// Warnings.
    pub(super) warnings: Vec<String>,
}

impl<'a> Checked<'a> {
    pub(super) fn of(image: &'a ImageRef, token_hosts: &[Host], env: &Env) -> Result<Self, Error> {
        // Loaded for each image, so that each has its own timeout.
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
        let mut warnings = resolver.warnings();
        let rule = |path| {
            resolver
                .config()
                .rule(&image.host, path)
                .map(std::ptr::from_ref)
        };
        let by_path = rule(&image.repository) != rule("");
        let mut files = Vec::new();
        let report = credential.as_ref().ok().map(|credential| {
            let certificates = match CertDirs::of(env).read(&image.spelling) {
                Ok(certificates) => certificates,
                Err(fault) => return Ok(Verdict::CertsD(fault).into()),
            };
            files.clone_from(&certificates.files);
            warnings.extend_from_slice(&certificates.warnings);
            let question = Question {
                image,
                credential: credential.as_ref(),
                token_hosts,
                certificates: &certificates,
                deadline: Instant::now() + timeout,
                log,
            };
            question.ask().map_err(|error| crate::one_line(&error))
        });
        let wants = matches!(
            &report,
            Some(Ok(Report {
                verdict: Verdict::NeedsCredential(_),
                ..
            }))
        );
        let route = resolver.route(&image.host, Scheme::Https, &image.repository);
        let slip = route
            .filter(|_| wants)
            .and_then(|route| slip::of(&route, &resolver));
        Ok(Self {
            image,
            credential,
            by_path,
            files,
            report,
            slip,
            clients: ClientLines::of(env, &image.spelling, &image.repository),
            warnings,
        })
    }

    pub(super) fn is_pulled(&self) -> bool {
        matches!(&self.report, Some(Ok(report)) if report.verdict.is_pulled())
    }

    /// The verdict for programs, the cause and the fix.
    fn outcome(&self) -> (&'static str, String, String) {
        match (&self.credential, &self.report) {
            (_, Some(Ok(report))) => (
                report.verdict.word(),
                report.verdict.to_string(),
                self.slip
                    .clone()
                    .unwrap_or_else(|| report.verdict.fix(self.image)),
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

    pub(super) fn json(&self) -> Zeroizing<String> {
        let (verdict, cause, fix) = self.outcome();
        let credential = self.credential.as_ref().map_or("failed", |found| {
            if found.is_some() { "found" } else { "none" }
        });
        let (login, token_host) = match self.login() {
            None => (None, None),
            Some(Login::Basic) => (Some("basic"), None),
            Some(Login::Bearer(host)) => (Some("bearer"), host.as_ref().map(Host::as_str)),
        };
        json::line(&Object {
            image: self.name(),
            host: self.image.host.as_reference(),
            pulled: self.is_pulled(),
            verdict,
            cause,
            fix,
            credential,
            accepted: self.taken(),
            login,
            token_host,
            digest: self.digest(),
            certs: self.files().collect(),
            clients: self.clients.objects(),
        })
    }

    pub(super) fn human(&self, style: Style) -> String {
        let mut rows = Rows::new(2, 12);
        rows.heading(&self.name(), style);
        match &self.credential {
            Ok(Some(credential)) => {
                rows.plain("credential", &format!("found, {}", who(credential)));
            }
            Ok(None) => rows.plain("credential", "not found; asked anonymously"),
            Err(_) => rows.plain("credential", "failed"),
        }
        self.clients.show(&mut rows, style);
        if self.by_path {
            rows.plain(
                "rule",
                "one for this path; docker and podman don't send a path, and get a different answer",
            );
        }
        let files: Vec<_> = self.files().collect();
        if !files.is_empty() {
            rows.plain("certs", &files.join(", "));
        }
        match self.login() {
            None => {}
            Some(Login::Basic) => {
                rows.plain("login", "user name and password, to the registry itself");
            }
            Some(Login::Bearer(server)) => {
                let server = server
                    .as_ref()
                    .map_or("a place that isn't a host", Host::as_str);
                rows.plain("login", &format!("a token, from {server}"));
            }
        }
        match self.taken() {
            None => {}
            Some(Taken::Yes) => rows.plain("accepted", "yes"),
            Some(Taken::No) if self.login().is_none() => {
                rows.plain("accepted", "no, but the registry requires no credential");
            }
            Some(Taken::No) => rows.plain("accepted", "no"),
            Some(Taken::Unknown) if self.login().is_none() => {
                rows.plain("accepted", "unknown: the registry requires no credential");
            }
            Some(Taken::Unknown) => rows.plain("accepted", "not known"),
        }
        let (_, cause, fix) = self.outcome();
        if self.is_pulled() {
            rows.good("pull", &format!("works: {cause}"), style);
        } else {
            rows.bad("pull", &format!("fails: {cause}"), style);
        }
        if !fix.is_empty() {
            rows.plain("fix", &fix);
        }
        rows.finish()
    }

    fn files(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|file| file.display().to_string())
    }

    /// The image's full name.
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

/// What programs read of it.
#[derive(Serialize)]
struct Object<'a> {
    image: String,
    host: &'a str,
    pulled: bool,
    verdict: &'static str,
    cause: String,
    fix: String,
    credential: &'static str,
    accepted: Option<Taken>,
    login: Option<&'static str>,
    token_host: Option<&'a str>,
    digest: Option<&'a str>,
    certs: Vec<String>,
    clients: Vec<ClientObject<'a>>,
}

fn who(credential: &Credential) -> String {
    match credential.shown_username() {
        None => "a token for user name and password".to_owned(),
        Some("<token>") => "an identity token".to_owned(),
        Some(name) => format!("user name {name}"),
    }
}
