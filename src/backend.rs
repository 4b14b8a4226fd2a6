//! `Backend`: what turns the keys of a secret into the user name and password that a registry takes.

mod fixed;

use crate::credential::Credential;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::keys::{Keys, KeysError, PAIRS};

pub use fixed::User;

/// A way to log in. A registry has one or several; the first one that the keys suit is used.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    /// Amazon ECR: keys are exchanged for a token.
    Aws,
    /// Google Artifact Registry and Container Registry: keys are exchanged for an access token.
    Gcp,
    /// Azure Container Registry: keys are exchanged for a refresh token.
    Azure,
    /// The keys are what the registry takes.
    Fixed {
        /// Where the user name comes from.
        user: User,
        /// The key that holds the password or token.
        secret: &'static str,
    },
}

impl Backend {
    /// Its name in `explain`, in errors and in configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Fixed { .. } => "fixed",
        }
    }

    /// Whether tokens are minted, which binds the registry to its exact hosts, to port 443 and to TLS.
    #[must_use]
    pub fn is_cloud(&self) -> bool {
        !matches!(self, Self::Fixed { .. })
    }

    /// Whether these keys are for this backend, and all of them there.
    #[must_use]
    pub fn fit(&self, keys: &Keys) -> Fit {
        match self {
            Self::Aws => Fit::of_pair("AWS_ACCESS_KEY_ID", keys),
            Self::Azure => Fit::of_pair("AZURE_CLIENT_ID", keys),
            Self::Gcp if GCP_KEYS.iter().any(|key| keys.has(key)) => Fit::Complete,
            Self::Gcp => Fit::Absent,
            Self::Fixed { user, secret } => fixed::fit(*user, secret, keys),
        }
    }

    /// The keys it reads, as error messages list them.
    #[must_use]
    pub fn wants(&self) -> String {
        match self {
            Self::Aws => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            Self::Gcp => "GCP_ACCESS_TOKEN or GOOGLE_APPLICATION_CREDENTIALS".to_owned(),
            Self::Azure => "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID".to_owned(),
            Self::Fixed { user: User::Key(user), secret } => format!("{user} and {secret}"),
            Self::Fixed { secret, .. } => (*secret).to_owned(),
        }
    }

    /// The user name that [`Backend::login`] will answer, without logging in.
    #[must_use]
    pub fn username<'k>(&self, keys: &'k Keys) -> &'k str {
        match self {
            Self::Aws => "AWS",
            Self::Gcp => "oauth2accesstoken",
            Self::Azure => "00000000-0000-0000-0000-000000000000",
            Self::Fixed { user, secret } => user.name(keys, secret).unwrap_or_default(),
        }
    }

    /// Logs in: the keys, turned into what the registry takes.
    pub fn login(&self, host: &Host, keys: &Keys) -> Result<Credential, Error> {
        match self {
            Self::Fixed { user, secret } => fixed::login(*user, secret, host, keys),
            cloud => Err(Problem::new(
                format!("backend {}", cloud.name()),
                "this version cannot turn cloud keys into a registry token yet",
            )
            .fix("store the user name and password of a token you minted yourself")
            .failed()
            .about(host.as_str())),
        }
    }
}

/// How a secret's keys suit a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// None of its keys are there.
    Absent,
    /// All that it needs is there.
    Complete,
    /// A pair is begun and not finished.
    Half(KeysError),
}

impl Fit {
    fn of_pair(user: &str, keys: &Keys) -> Self {
        let pair = PAIRS.iter().find(|pair| pair.user == user);
        match pair.map(|pair| pair.check(keys)) {
            Some(Err(error)) => Self::Half(error),
            Some(Ok(())) if keys.has(user) => Self::Complete,
            _ => Self::Absent,
        }
    }
}

/// The keys of Google's registries.
pub const GCP_KEYS: [&str; 3] = ["GCP_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "GCP_PROJECT_ID"];
