//! Asks a registry whether an image can be pulled with a credential, as a puller asks: Basic, or a bearer token of its
//! token server (<https://distribution.github.io/distribution/spec/auth/>). The credential goes to the registry and to
//! its own token server, and nowhere else.
//!
//! A client library would send the credential to whatever token server the registry names, before anybody could look.

mod certs_d;
mod challenge;
mod pass;
mod realm;
mod token;
mod transport;
mod verdict;

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use self::certs_d::{CertDirs, Certificates};
use self::challenge::{Bearer, Challenge};
use self::token::Given;
use self::transport::Registry;
use self::transport::Unanswered;
pub(crate) use self::transport::{MAX_REDIRECTS, is_redirect, origin, target};
pub use self::verdict::{Login, Report, Taken, Verdict};
use crate::credential::{Credential, Redacted};
use crate::error::{Code, Error, Fault, Meaning};
use crate::host::{Host, ImageRef};
use crate::http::{Cleartext, Http, Response};
use crate::log::Log;
use crate::runtime::block_on;

/// What is to be found out.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The image to pull.
    pub image: &'a ImageRef,
    /// The credential to pull it with; `None` asks as everybody may.
    pub credential: Option<&'a Credential>,
    /// Hosts of token servers that the operator vouches for.
    pub token_hosts: &'a [Host],
    /// What clients trust and show for this registry beside what the system says.
    pub certificates: &'a Certificates,
    /// When an answer is of no use any more.
    pub deadline: Instant,
    /// Where each request and what it took is said.
    pub log: &'a Log,
}

impl Question<'_> {
    /// Asks the registry. A negative answer counts as an answer.
    pub fn ask(&self) -> Result<Report, Error> {
        block_on(PART, self.deadline, async {
            Ok(self
                .inquire()
                .await
                .unwrap_or_else(|unanswered| Report::early(unanswered.into())))
        })
        .map_err(|error| error.about(self.image.host.as_reference()))
    }

    async fn inquire(&self) -> Result<Report, Unanswered> {
        let http =
            Http::new(self.deadline, Cleartext::Loopback)?.with(self.certificates.extra.clone());
        let (registry, asks) = self.reach(http).await?;
        if asks.status != 401 {
            return self.open(&registry, &asks).await;
        }
        match Challenge::of(asks.headers("www-authenticate")) {
            Some(Challenge::Basic) => self.basic(&registry).await,
            Some(Challenge::Bearer(bearer)) => self.bearer(&registry, &bearer).await,
            None => Ok(Report::early(Verdict::NoChallenge)),
        }
    }

    /// The registry, and the answer in which it asks for a login; one of another status where it asks nobody for one.
    async fn reach(&self, http: Http) -> Result<(Registry<'_>, Response), Unanswered> {
        let (registry, door) = Registry::reach(http, self.image, self.log).await?;
        if door.status == 401 {
            return Ok((registry, door));
        }
        // It asks for nothing at the door; perhaps it does at the repository.
        let asks = registry.manifest(None).await?;
        Ok((registry, asks))
    }

    /// A registry that asks nobody for a credential, so that a puller sends none. Whether it would take this one is told
    /// by what it says to it, and to one that is certainly wrong.
    async fn open(&self, registry: &Registry<'_>, answer: &Response) -> Result<Report, Unanswered> {
        let verdict = self.judge(registry, answer, None, true).await?;
        let says_something = answer.is_success() || matches!(answer.status, 403 | 404);
        let Some(credential) = self.credential.filter(|_| says_something) else {
            return Ok(Report::early(verdict));
        };
        let shown = registry
            .manifest(Some(&basic(credential.username(), credential.secret())))
            .await?;
        let refused = |answer: &Response| matches!(answer.status, 401 | 403);
        let taken = if refused(&shown) {
            Taken::No
        } else if refused(
            &registry
                .manifest(Some(&basic(NOBODY, &NOBODY.into())))
                .await?,
        ) {
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

    async fn basic(&self, registry: &Registry<'_>) -> Result<Report, Unanswered> {
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
            // What is said of an image may be about the image; what is said at the door is about the credential.
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

    async fn bearer(&self, registry: &Registry<'_>, bearer: &Bearer) -> Result<Report, Unanswered> {
        let given = match self.token(registry, bearer).await? {
            Ok(given) => given.token,
            Err(report) => return Ok(report),
        };
        let shown = shown(&given);
        let manifest = registry.manifest(Some(&shown)).await?;
        let says_pull = token::says_pull(&given, &self.image.repository);
        let verdict = if manifest.status == 401 && says_pull && self.credential.is_some() {
            Verdict::TokenRefused(401)
        } else {
            self.judge(registry, &manifest, Some(&shown), manifest.status == 403)
                .await?
        };
        let server = realm::token_host(&bearer.realm, &registry.base);
        Ok(Report {
            login: Some(Login::Bearer(server)),
            taken: self.credential.map(|_| Taken::Yes),
            verdict,
        })
    }

    /// A token for pulling from the repository, or why there is no token.
    async fn token(
        &self,
        registry: &Registry<'_>,
        bearer: &Bearer,
    ) -> Result<Result<Given, Report>, Unanswered> {
        let server = realm::token_host(&bearer.realm, &registry.base);
        let login = Some(Login::Bearer(server.clone()));
        let covered =
            |server| realm::is_covered(server, &self.image.host, self.token_hosts, &registry.base);
        let may_be_asked = match (&server, self.credential) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(server), Some(_)) => covered(server),
        };
        let refused = |taken, verdict| {
            let taken = self.credential.map(|_| taken);
            Ok(Err(Report {
                login: login.clone(),
                taken,
                verdict,
            }))
        };
        if !may_be_asked {
            return refused(Taken::Unknown, Verdict::ForeignTokenServer(server));
        }
        let scope = format!("repository:{}:pull", self.image.repository);
        let answer = registry
            .token(token::request(bearer, Some(&scope), self.credential))
            .await?;
        match answer.status {
            200..=299 => match token::read(&answer) {
                Some(given) => Ok(Ok(given)),
                None => refused(Taken::Unknown, Verdict::NoToken),
            },
            status @ (401 | 403) if self.credential.is_none() => {
                refused(Taken::Unknown, Verdict::NeedsCredential(status))
            }
            status @ (401 | 403) => {
                // It may have refused the credential or the repository; without a repository it can only be the credential.
                let alone = registry
                    .token(token::request(bearer, None, self.credential))
                    .await?;
                match alone.status {
                    200..=299 => refused(Taken::Yes, Verdict::NoAccess(status)),
                    401 | 403 => refused(Taken::No, Verdict::WrongCredential(status)),
                    _ => refused(Taken::Unknown, Verdict::TokenServer(status)),
                }
            }
            429 => refused(Taken::Unknown, Verdict::Throttled),
            status => refused(Taken::Unknown, Verdict::TokenServer(status)),
        }
    }

    /// What an answer about the manifest means. `certain`: whether a refusal is about this repository alone.
    async fn judge(
        &self,
        registry: &Registry<'_>,
        answer: &Response,
        login: Option<&Redacted>,
        certain: bool,
    ) -> Result<Verdict, Unanswered> {
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

/// Whether the registry takes this credential for pulling the image: `false` where it does not tell. That the image is
/// not there has nothing to do with credentials.
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
    let taken = report.taken;
    match report.verdict {
        Verdict::Pulled(_) | Verdict::NoManifest | Verdict::NoRepository
            if taken != Some(Taken::No) =>
        {
            Ok(taken == Some(Taken::Yes))
        }
        Verdict::Pulled(_) | Verdict::NoManifest | Verdict::NoRepository => {
            Err(refused(image, Verdict::WrongCredential(401)))
        }
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

/// Why a credential is not stored.
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

impl From<Unanswered> for Verdict {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NoAnswer(fault) => Self::NoAnswer(fault),
            Unanswered::Redirected => Self::Redirected,
        }
    }
}

/// A token as it is shown to the registry.
fn shown(token: &Redacted) -> Redacted {
    format!("Bearer {}", token.expose()).into()
}

fn basic(username: &str, secret: &Redacted) -> Redacted {
    let pair = Zeroizing::new(format!("{username}:{}", secret.expose()));
    format!("Basic {}", STANDARD.encode(pair.as_bytes())).into()
}

/// A digest that is one; the header is the registry's, and goes to a terminal.
fn digest(text: &str) -> Option<String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b":+._-".contains(&byte);
    (text.len() <= 140 && text.bytes().all(word)).then(|| text.to_owned())
}

/// Who asks in the errors.
const PART: &str = "registry";
/// A user name and password that nobody has.
const NOBODY: &str = "beta9-check-of-a-wrong-credential";
