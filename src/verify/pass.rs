//! `Pass`: a completed login for one repository, for callers that then pull themselves.

use std::time::Duration;

use super::challenge::Challenge;
use super::{Question, Verdict, basic, shown};
use crate::credential::Redacted;
use crate::http::Http;

/// The header for requests about one repository.
pub(crate) struct Pass {
    /// Scheme and host of the registry. The header must not be sent anywhere else.
    pub(crate) base: String,
    /// The `Authorization` header's value; `None` if none is needed or there is no credential.
    pub(crate) shown: Option<Redacted>,
    /// How long the token is valid; `None` without a token.
    pub(crate) life: Option<Duration>,
}

impl Question<'_> {
    /// Finds out how to log in to the registry, and does so. Fails with the verdict.
    pub(crate) async fn pass(&self, http: Http) -> Result<Pass, Verdict> {
        let (registry, asks) = self.reach(http).await?;
        let base = registry.base.clone();
        let (shown, life) = if asks.status == 401 {
            match Challenge::of(asks.headers("www-authenticate")) {
                None => return Err(Verdict::NoChallenge),
                Some(Challenge::Basic) => {
                    let pair = self.credential;
                    let pair = pair.map(|pair| basic(pair.username(), pair.secret()));
                    (pair, None)
                }
                Some(Challenge::Bearer(bearer)) => match self.token(&registry, &bearer).await? {
                    Ok(given) => (Some(shown(&given.token)), Some(given.life)),
                    Err(report) => return Err(report.verdict),
                },
            }
        } else {
            (None, None)
        };
        Ok(Pass { base, shown, life })
    }
}
