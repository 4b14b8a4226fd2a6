//! `Request`: the environment's information about this request.

use std::path::PathBuf;

use super::env::Env;
use crate::credential::Redacted;
use crate::error::Error;

/// Credentials that came with the request and are never written to disk.
#[derive(Debug, Default)]
pub struct Request {
    /// `BETA9_IMAGE_CREDENTIALS`: a blob.
    pub credentials: Option<Redacted>,
    /// `BETA9_IMAGE_CREDENTIALS_FILE`: a file with a blob.
    pub file: Option<PathBuf>,
    /// The image being pulled, which a blob without a registry is for.
    pub pulled: Pulled,
}

/// What is being pulled according to the request. The texts are not parsed yet.
#[derive(Clone, Debug, Default)]
pub struct Pulled {
    /// `BETA9_REGISTRY`: a registry.
    pub registry: Option<String>,
    /// `BETA9_IMAGE`: an image of one.
    pub image: Option<String>,
    /// `BETA9_IMAGE_SECRETS`: the single workspace secrets that the image names.
    pub secrets: Vec<String>,
}

impl Request {
    pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
        let names = |text: String| {
            let names = text.split(',').map(str::trim);
            let names: Vec<_> = names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            (!names.is_empty()).then_some(names)
        };
        let what = "a list of secrets such as USER,PASSWORD";
        Ok(Self {
            credentials: env.secret("BETA9_IMAGE_CREDENTIALS")?,
            file: env.path("BETA9_IMAGE_CREDENTIALS_FILE")?,
            pulled: Pulled {
                registry: env.text("BETA9_REGISTRY")?,
                image: env.text("BETA9_IMAGE")?,
                secrets: env
                    .parsed(Pulled::SECRETS, what, names)?
                    .unwrap_or_default(),
            },
        })
    }
}

impl Pulled {
    /// The variable that names the image's single secrets.
    pub const SECRETS: &str = "BETA9_IMAGE_SECRETS";
}
