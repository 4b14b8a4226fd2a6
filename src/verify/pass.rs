//! `Pass`: what a registry wants to see before it lets anybody pull from one repository, for those who then pull themselves.

use std::time::Duration;

use super::challenge::Challenge;
use super::{Question, Verdict, basic, shown};
use crate::credential::Redacted;
use crate::http::Http;

/// What is shown to a registry with each request about one repository.
pub(crate) struct Pass {
    /// Scheme and host of the registry, as it was reached. To no other place this is shown.
    pub(crate) base: String,
    /// The `Authorization` header's value; `None` where nothing is to be shown, or there is nothing to show.
    pub(crate) shown: Option<Redacted>,
    /// For how long its token is good; `None` where it has no token.
    pub(crate) life: Option<Duration>,
}

impl Question<'_> {
    /// Finds out how the registry wants to be logged in to, and logs in. The verdict where that fails.
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
