//! One image: its credential, and its registry's answer.

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
    /// The credential and the registry's answer, or why a pull would not reach the registry.
    asked: Result<(Option<Credential>, Result<Report, String>), String>,
    /// Whether clients that ask for the registry without the repository get a different credential.
    by_path: bool,
    /// The files of certs.d that were used.
    files: Vec<String>,
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
        let host = Some(image.host.as_reference());
        let credential = match resolver.audited("check", host, |resolver| resolver.get(&url)) {
            Ok(credential) => Ok(Some(credential)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(crate::one_line(&error)),
        };
        let mut warnings = resolver.warnings();
        let rule = |path| {
            Some(std::ptr::from_ref(
                resolver.config().rule(&image.host, path)?,
            ))
        };
        let by_path = rule(&image.repository) != rule("");
        let mut files = Vec::new();
        let asked = credential.map(|credential| {
            let certificates = match CertDirs::of(env).read(&image.spelling) {
                Ok(certificates) => certificates,
                Err(fault) => return (credential, Ok(Verdict::CertsD(fault).into())),
            };
            let read = certificates.files.iter();
            files.extend(read.map(|file| file.display().to_string()));
            warnings.extend_from_slice(&certificates.warnings);
            let question = Question {
                image,
                credential: credential.as_ref(),
                token_hosts,
                certificates: &certificates,
                deadline: Instant::now() + timeout,
                log,
            };
            let report = question.ask().map_err(|error| crate::one_line(&error));
            (credential, report)
        });
        let mut checked = Self {
            image,
            asked,
            by_path,
            files,
            clients: ClientLines::of(env, &image.spelling, &image.repository),
            slip: None,
            warnings,
        };
        let verdict = checked.report().map(|report| &report.verdict);
        if let Some(Verdict::NeedsCredential(_)) = verdict {
            let route = resolver.route(&image.host, Scheme::Https, &image.repository);
            checked.slip = route.and_then(|route| slip::of(&route, &resolver));
        }
        Ok(checked)
    }

    /// The registry's answer, if it gave one.
    fn report(&self) -> Option<&Report> {
        self.asked.as_ref().ok()?.1.as_ref().ok()
    }

    pub(super) fn is_pulled(&self) -> bool {
        let report = self.report();
        report.is_some_and(|report| report.verdict.is_pulled())
    }

    /// The verdict for programs, the cause and the fix.
    fn outcome(&self) -> (&'static str, String, String) {
        match &self.asked {
            Ok((_, Ok(Report { verdict, .. }))) => {
                let fix = self.slip.clone();
                let fix = fix.unwrap_or_else(|| verdict.fix(self.image));
                (verdict.word(), verdict.to_string(), fix)
            }
            Ok((_, Err(line))) => ("network", line.clone(), String::new()),
            Err(line) => ("no-answer", line.clone(), String::new()),
        }
    }

    fn login(&self) -> Option<&Login> {
        self.report()?.login.as_ref()
    }

    fn taken(&self) -> Option<Taken> {
        self.report()?.taken
    }

    pub(super) fn json(&self) -> Zeroizing<String> {
        let (verdict, cause, fix) = self.outcome();
        let credential = match &self.asked {
            Ok((Some(_), _)) => "found",
            Ok((None, _)) => "none",
            Err(_) => "failed",
        };
        let (login, token_host) = match self.login() {
            None => (None, None),
            Some(Login::Basic) => (Some("basic"), None),
            Some(Login::Bearer(host)) => (Some("bearer"), host.as_ref().map(Host::as_str)),
        };
        let digest = match self.report().map(|report| &report.verdict) {
            Some(Verdict::Pulled(digest)) => digest.as_deref(),
            _ => None,
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
            digest,
            certs: &self.files,
            clients: self.clients.objects(),
        })
    }

    pub(super) fn human(&self, style: Style) -> String {
        let mut rows = Rows::new(2, 12, style);
        rows.heading(&self.name());
        match &self.asked {
            Ok((Some(credential), _)) => {
                rows.plain("credential", &format!("found, {}", who(credential)));
            }
            Ok((None, _)) => rows.plain("credential", "not found; asked anonymously"),
            Err(_) => rows.plain("credential", "failed"),
        }
        self.clients.show(&mut rows);
        if self.by_path {
            rows.plain(
                "rule",
                "one for this path; docker and podman don't send a path, and get a different answer",
            );
        }
        if !self.files.is_empty() {
            rows.plain("certs", &self.files.join(", "));
        }
        match self.login() {
            None => {}
            Some(Login::Basic) => {
                rows.plain("login", "user name and password, to the registry itself");
            }
            Some(Login::Bearer(server)) => {
                let server = server.as_ref().map(Host::as_str);
                let server = server.unwrap_or("a place that isn't a host");
                rows.plain("login", &format!("a token, from {server}"));
            }
        }
        let accepted = match (self.taken(), self.login()) {
            (None, _) => "",
            (Some(Taken::Yes), _) => "yes",
            (Some(Taken::No), None) => "no, but the registry requires no credential",
            (Some(Taken::No), Some(_)) => "no",
            (Some(Taken::Unknown), None) => "unknown: the registry requires no credential",
            (Some(Taken::Unknown), Some(_)) => "not known",
        };
        if !accepted.is_empty() {
            rows.plain("accepted", accepted);
        }
        let (_, cause, fix) = self.outcome();
        if self.is_pulled() {
            rows.good("pull", &format!("works: {cause}"));
        } else {
            rows.bad("pull", &format!("fails: {cause}"));
        }
        if !fix.is_empty() {
            rows.plain("fix", &fix);
        }
        rows.finish()
    }

    /// The image's full name.
    fn name(&self) -> String {
        let (host, repository) = (&self.image.host, &self.image.repository);
        match self.image.suffix.as_str() {
            "" => format!("{host}/{repository}:latest"),
            suffix => format!("{host}/{repository}{suffix}"),
        }
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
    certs: &'a [String],
    clients: Vec<ClientObject<'a>>,
}

fn who(credential: &Credential) -> String {
    match credential.shown_username() {
        None => "a token for user name and password".to_owned(),
        Some("<token>") => "an identity token".to_owned(),
        Some(name) => format!("user name {name}"),
    }
}
