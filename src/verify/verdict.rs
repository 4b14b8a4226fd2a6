//! `Report` and `Verdict`: the result of asking a registry, with distinct causes and fixes.

use serde::Serialize;

use crate::host::{Host, ImageRef};
use crate::http::{Certificate, HttpError, Kind};
use crate::registry::Registry;
use crate::trusted;

/// The result of asking a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it requires clients to log in; `None` if it requires no login, or the check did not get that far.
    pub login: Option<Login>,
    /// Whether it accepts the credential; `None` without one.
    pub taken: Option<Taken>,
    /// The result of a pull.
    pub verdict: Verdict,
}

/// How clients log in to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The user name and password go to the registry itself.
    Basic,
    /// A token server issues a token for them; `None` if its URL has no valid host.
    Bearer(Option<Host>),
}

/// Whether a registry accepts a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The registry does not show it.
    Unknown,
}

/// The result of a pull.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// The manifest exists and may be pulled; its digest, if the registry sent it.
    #[error("the manifest is there and may be pulled")]
    Pulled(Option<String>),
    /// The credential is wrong.
    #[error("it refuses this credential ({0})")]
    WrongCredential(u16),
    /// The credential is right but may not pull this repository.
    #[error("the credential may not pull this repository ({0})")]
    NoAccess(u16),
    /// As above, or the repository does not exist: the registry doesn't say which.
    #[error(
        "the credential may not pull this repository, or the repository doesn't exist ({0}); the registry doesn't say which"
    )]
    NoAccessOrRepository(u16),
    /// The repository does not exist.
    #[error("there is no such repository (404)")]
    NoRepository,
    /// The tag or digest does not exist; perhaps the repository doesn't either, if the registry doesn't say which.
    #[error("there is no such tag or digest (404)")]
    NoManifest,
    /// The image can't be pulled without a credential.
    #[error("it needs a credential, and has none ({0})")]
    NeedsCredential(u16),
    /// The credential must not be sent to this token server.
    #[error("it names a token server that is not its own ({}); the credential was not sent there", named(.0.as_ref()))]
    ForeignTokenServer(Option<Host>),
    /// The token server failed with this status.
    #[error("its token server answered {0}")]
    TokenServer(u16),
    /// The token server's answer has no token.
    #[error("its token server returned no token")]
    NoToken,
    /// The registry refuses its own token server's token.
    #[error("it refuses what its own token server gave ({0})")]
    TokenRefused(u16),
    /// The registry requires a login of no supported kind.
    #[error("it asks for a login without saying how (401)")]
    NoChallenge,
    /// The registry redirects too often, or to a target that isn't allowed.
    #[error("it redirects, to nowhere that can be asked")]
    Redirected,
    /// The registry limits the rate of requests.
    #[error("it is throttling (429)")]
    Throttled,
    /// The registry answered with an unexpected status.
    #[error("it answered {0}")]
    Failed(u16),
    /// A file of certs.d can't be used.
    #[error("{}", .0.cause)]
    CertsD(trusted::FileError),
    /// There was no answer.
    #[error("{0}")]
    NoAnswer(HttpError),
}

/// A report without a login.
impl From<Verdict> for Report {
    fn from(verdict: Verdict) -> Self {
        Self {
            login: None,
            taken: None,
            verdict,
        }
    }
}

impl From<HttpError> for Verdict {
    fn from(fault: HttpError) -> Self {
        Self::NoAnswer(fault)
    }
}

impl Verdict {
    /// Whether a pull works.
    pub fn is_pulled(&self) -> bool {
        matches!(self, Self::Pulled(_))
    }

    /// The verdict's name in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pulled(_) => "pulled",
            Self::WrongCredential(_) => "wrong-credential",
            Self::NoAccess(_) => "no-access",
            Self::NoAccessOrRepository(_) => "no-access-or-repository",
            Self::NoRepository => "no-repository",
            Self::NoManifest => "no-manifest",
            Self::NeedsCredential(_) => "needs-credential",
            Self::ForeignTokenServer(_) => "foreign-token-server",
            Self::TokenServer(_) | Self::NoToken => "token-server",
            Self::TokenRefused(_) => "token-refused",
            Self::NoChallenge => "no-login",
            Self::Redirected => "redirected",
            Self::Throttled => "throttled",
            Self::Failed(_) => "failed",
            Self::NoAnswer(fault) => match fault.kind() {
                Kind::Certificate(_) | Kind::ClientCertificate | Kind::Tls | Kind::Authorities => {
                    "tls"
                }
                _ => "network",
            },
            Self::CertsD(_) => "tls",
        }
    }

    /// The fix; empty if there is nothing to do.
    pub fn fix(&self, image: &ImageRef) -> String {
        let (host, repository) = (&image.host, &image.repository);
        match self {
            Self::Pulled(_) => String::new(),
            Self::WrongCredential(_) if Registry::of(host).is_cloud() => {
                "see with explain whose identity it is, and let that pull from this registry"
                    .to_owned()
            }
            Self::WrongCredential(_) => {
                format!("{}, or correct the workspace's secret", docker_login(host))
            }
            Self::NoAccess(_) => {
                format!("let the account pull {repository}, or store one that may")
            }
            Self::NoAccessOrRepository(_) => {
                format!("check whether {repository} is spelled right, and let the account pull it")
            }
            Self::NoRepository => {
                "correct the image's name; some registries say so of what one may not see"
                    .to_owned()
            }
            Self::NoManifest => "correct the tag or digest".to_owned(),
            Self::NeedsCredential(_) => {
                format!(
                    "{}; explain shows where a credential is looked for",
                    docker_login(host)
                )
            }
            Self::ForeignTokenServer(Some(server)) => {
                format!("if it is this registry's: check --token-host {server}")
            }
            Self::TokenServer(_) | Self::Failed(_) => {
                "try again later; see what the registry's operator says".to_owned()
            }
            Self::TokenRefused(_) => {
                "check whether the clocks of the registry and its token server are right".to_owned()
            }
            Self::Throttled => "try again later".to_owned(),
            Self::ForeignTokenServer(None)
            | Self::NoToken
            | Self::NoChallenge
            | Self::Redirected => "see who answers in the registry's place".to_owned(),
            Self::CertsD(fault) => fault.fix.clone(),
            Self::NoAnswer(fault)
                if fault.kind() == Kind::Certificate(Certificate::UnknownAuthority) =>
            {
                format!(
                    "add its authority to the system's, or as ca.crt to {}",
                    cert_dirs(image)
                )
            }
            Self::NoAnswer(fault) if fault.kind() == Kind::ClientCertificate => {
                format!("put client.cert and client.key into {}", cert_dirs(image))
            }
            Self::NoAnswer(fault) if fault.kind() == Kind::Tls => {
                "see who answers there; without TLS only registries on this node are asked"
                    .to_owned()
            }
            Self::NoAnswer(fault) => fault.fix().to_owned(),
        }
    }
}

/// Where docker and podman look for a registry's certificates.
fn cert_dirs(image: &ImageRef) -> String {
    let registry = &image.spelling;
    format!(
        "/etc/docker/certs.d/{registry} for docker, /etc/containers/certs.d/{registry} for podman"
    )
}

/// The `docker login` command for a host; Docker Hub is the default.
fn docker_login(host: &Host) -> String {
    if host.is_docker_hub() {
        "docker login".to_owned()
    } else {
        format!("docker login {host}")
    }
}

fn named(server: Option<&Host>) -> &str {
    server.map_or("not an https:// URL of a host", Host::as_str)
}
