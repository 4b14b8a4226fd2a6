//! Asks a registry whether an image can be pulled with a credential, the way clients do: with Basic authentication, or
//! a bearer token from its token server (<https://distribution.github.io/distribution/spec/auth/>). The credential goes
//! only to the registry and its own token server.
//!
//! A client library isn't used because it would send the credential to any token server that the registry names.

mod certs_d;
mod challenge;
mod pass;
mod realm;
mod token;
mod transport;
mod verdict;

use std::time::Instant;

pub use self::certs_d::{CertDirs, Certificates};
use self::challenge::{Bearer, Challenge};
use self::token::Given;
use self::transport::Registry;
pub(crate) use self::transport::{MAX_REDIRECTS, is_redirect, origin, target};
pub use self::verdict::{Login, Report, Taken, Verdict};
use crate::credential::{Credential, Redacted};
use crate::error::{Code, Error, Fault, Meaning};
use crate::host::{Host, ImageRef};
use crate::http::{Cleartext, Http, Response, basic, bearer};
use crate::log::Log;
use crate::runtime::block_on;

/// A question to a registry.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The image to pull.
    pub image: &'a ImageRef,
    /// The credential to pull with; `None` asks anonymously.
    pub credential: Option<&'a Credential>,
    /// Hosts of token servers that the operator trusts.
    pub token_hosts: &'a [Host],
    /// The registry's certificates from `certs.d`, in addition to the system's.
    pub certificates: &'a Certificates,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The debug log.
    pub log: &'a Log,
}

impl Question<'_> {
    /// Asks the registry. A negative answer counts as an answer.
    pub fn ask(&self) -> Result<Report, Error> {
        block_on(PART, self.deadline, async {
            Ok(self.inquire().await.unwrap_or_else(|report| report))
        })
        .map_err(|error| error.about(self.image.host.as_reference()))
    }

    async fn inquire(&self) -> Result<Report, Report> {
        let http = Http::new(self.deadline, Cleartext::Loopback).map_err(Verdict::from)?;
        let http = http.with(self.certificates.extra.clone());
        let (registry, asks) = self.reach(http).await?;
        if asks.status != 401 {
            return Ok(self.open(&registry, &asks).await?);
        }
        match Challenge::of(&asks)? {
            Challenge::Basic => Ok(self.basic(&registry).await?),
            Challenge::Bearer(bearer) => self.bearer(&registry, &bearer).await,
        }
    }

    /// The registry, and its answer with the login challenge, or another answer if it requires no login.
    async fn reach(&self, http: Http) -> Result<(Registry<'_>, Response), Verdict> {
        let (registry, door) = Registry::reach(http, self.image, self.log).await?;
        if door.status == 401 {
            return Ok((registry, door));
        }
        // `/v2/` requires no login, but the repository may.
        let asks = registry.manifest(None).await?;
        Ok((registry, asks))
    }

    /// Judges a registry that requires no login, so that clients send no credential. Whether it accepts this one shows
    /// by comparing its answers to this one and to a certainly wrong one.
    async fn open(&self, registry: &Registry<'_>, answer: &Response) -> Result<Report, Verdict> {
        let verdict = self.judge(registry, answer, None, true).await?;
        let says_something = answer.is_success() || matches!(answer.status, 403 | 404);
        let Some(credential) = self.credential.filter(|_| says_something) else {
            return Ok(verdict.into());
        };
        let refuses = async |username: &str, secret: &Redacted| -> Result<bool, Verdict> {
            let answer = registry.manifest(Some(&basic(username, secret))).await?;
            Ok(matches!(answer.status, 401 | 403))
        };
        let taken = if refuses(credential.username(), credential.secret()).await? {
            Taken::No
        } else if refuses(NOBODY, &NOBODY.into()).await? {
            Taken::Yes
        } else {
            Taken::Unknown
        };
        Ok(Report {
            login: None,
            taken: Some(taken),
            verdict,
        })
    }

    async fn basic(&self, registry: &Registry<'_>) -> Result<Report, Verdict> {
        let login = self
            .credential
            .map(|credential| basic(credential.username(), credential.secret()));
        let answer = registry.manifest(login.as_ref()).await?;
        let report = |taken, verdict| Report {
            login: Some(Login::Basic),
            taken: login.as_ref().map(|_| taken),
            verdict,
        };
        if login.is_some() && !answer.is_success() {
            // An answer about an image may be due to the image; an answer at `/v2/` is about the credential.
            match registry.ping(login.as_ref()).await?.status {
                status @ (401 | 403) => {
                    return Ok(report(Taken::No, Verdict::WrongCredential(status)));
                }
                429 => return Ok(report(Taken::Unknown, Verdict::Throttled)),
                status @ 500.. => return Ok(report(Taken::Unknown, Verdict::Failed(status))),
                _ => {}
            }
        }
        let verdict = self.judge(registry, &answer, login.as_ref(), true).await?;
        Ok(report(Taken::Yes, verdict))
    }

    async fn bearer(&self, registry: &Registry<'_>, realm: &Bearer) -> Result<Report, Report> {
        let given = self.token(registry, realm).await?.token;
        let shown = bearer(&given);
        let manifest = registry.manifest(Some(&shown)).await?;
        let says_pull = token::says_pull(&given, &self.image.repository);
        let verdict = if manifest.status == 401 && says_pull && self.credential.is_some() {
            Verdict::TokenRefused(401)
        } else {
            self.judge(registry, &manifest, Some(&shown), manifest.status == 403)
                .await?
        };
        Ok(Report {
            login: Some(Login::Bearer(realm::token_host(
                &realm.realm,
                &registry.base,
            ))),
            taken: self.credential.map(|_| Taken::Yes),
            verdict,
        })
    }

    /// A token for pulling from the repository, or why there is no token.
    async fn token(&self, registry: &Registry<'_>, bearer: &Bearer) -> Result<Given, Report> {
        let server = realm::token_host(&bearer.realm, &registry.base);
        let may_be_asked = server.as_ref().is_some_and(|server| {
            self.credential.is_none()
                || realm::is_covered(server, &self.image.host, self.token_hosts, &registry.base)
        });
        let refused = |taken, verdict| Report {
            login: Some(Login::Bearer(server.clone())),
            taken: self.credential.map(|_| taken),
            verdict,
        };
        if !may_be_asked {
            let verdict = Verdict::ForeignTokenServer(server.clone());
            return Err(refused(Taken::Unknown, verdict));
        }
        let ask = async |scope| {
            let request = token::request(bearer, scope, self.credential);
            registry.token(request).await
        };
        let scope = format!("repository:{}:pull", self.image.repository);
        let answer = ask(Some(&scope)).await?;
        Err(match answer.status {
            200..=299 => match token::read(&answer) {
                Some(given) => return Ok(given),
                None => refused(Taken::Unknown, Verdict::NoToken),
            },
            status @ (401 | 403) if self.credential.is_none() => {
                refused(Taken::Unknown, Verdict::NeedsCredential(status))
            }
            // The refusal may be about the credential or the repository. Without a repository, it can only be the
            // credential.
            status @ (401 | 403) => match ask(None).await?.status {
                200..=299 => refused(Taken::Yes, Verdict::NoAccess(status)),
                401 | 403 => refused(Taken::No, Verdict::WrongCredential(status)),
                _ => refused(Taken::Unknown, Verdict::TokenServer(status)),
            },
            429 => refused(Taken::Unknown, Verdict::Throttled),
            status => refused(Taken::Unknown, Verdict::TokenServer(status)),
        })
    }

    /// Interprets an answer about the manifest. `certain`: whether a refusal concerns only this repository.
    async fn judge(
        &self,
        registry: &Registry<'_>,
        answer: &Response,
        login: Option<&Redacted>,
        certain: bool,
    ) -> Result<Verdict, Verdict> {
        Ok(match answer.status {
            200..=299 => Verdict::Pulled(answer.header("docker-content-digest").and_then(digest)),
            404 => match registry.repository(login).await?.status {
                404 => Verdict::NoRepository,
                _ => Verdict::NoManifest,
            },
            status @ (401 | 403) if self.credential.is_none() => Verdict::NeedsCredential(status),
            status @ (401 | 403) if certain => Verdict::NoAccess(status),
            status @ (401 | 403) => Verdict::NoAccessOrRepository(status),
            429 => Verdict::Throttled,
            status => Verdict::Failed(status),
        })
    }
}

/// Whether the registry accepts this credential for pulling the image; `false` if it does not say. A missing image is
/// not the credential's fault.
pub fn authenticate(
    image: &ImageRef,
    credential: &Credential,
    certs: &CertDirs,
    deadline: Instant,
    log: &Log,
) -> Result<bool, Error> {
    let certificates = certs
        .read(&image.spelling)
        .map_err(|fault| fault.problem(PART).about(image.host.as_reference()))?;
    let report = Question {
        image,
        credential: Some(credential),
        token_hosts: &[],
        certificates: &certificates,
        deadline,
        log,
    }
    .ask()?;
    match report.verdict {
        Verdict::Pulled(_) | Verdict::NoManifest | Verdict::NoRepository => match report.taken {
            Some(Taken::No) => Err(refused(image, Verdict::WrongCredential(401))),
            taken => Ok(taken == Some(Taken::Yes)),
        },
        verdict => Err(refused(image, verdict)),
    }
}

fn refused(image: &ImageRef, verdict: Verdict) -> Error {
    let fix = match &verdict {
        Verdict::ForeignTokenServer(_) => {
            "leave out --check, and see what check --token-host is for".to_owned()
        }
        verdict => verdict.fix(image),
    };
    Error::from(Untaken { verdict, fix }).about(image.host.as_reference())
}

/// Why a credential was not stored.
#[derive(Debug, thiserror::Error)]
#[error("{verdict}")]
struct Untaken {
    verdict: Verdict,
    fix: String,
}

impl Fault for Untaken {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART).fix(format!("{}; nothing was stored", self.fix));
        match self.verdict {
            Verdict::Throttled | Verdict::Failed(500..) | Verdict::NoAnswer(_) => {
                of(Code::RegistryUnreachable).unreachable()
            }
            Verdict::CertsD(_) => of(Code::SystemFile),
            _ => of(Code::RegistryRefused),
        }
    }
}

/// The header's value if it is a valid digest; it comes from the registry and is shown on a terminal.
fn digest(text: &str) -> Option<String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b":+._-".contains(&byte);
    (text.len() <= 140 && text.bytes().all(word)).then(|| text.to_owned())
}

/// The part named in errors.
const PART: &str = "registry";
/// A user name and password that certainly don't exist.
const NOBODY: &str = "beta9-check-of-a-wrong-credential";
