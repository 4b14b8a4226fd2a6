//! `Pass`: a completed login for one repository, for callers that then pull themselves.

use std::time::Duration;

use super::challenge::Challenge;
use super::{Question, Report};
use crate::credential::Redacted;
use crate::http::{Http, basic, bearer};

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
    /// Finds out how to log in to the registry, and does so. Fails with a report of why not.
    pub(crate) async fn pass(&self, http: Http) -> Result<Pass, Report> {
        let (registry, asks) = self.reach(http).await?;
        let base = registry.base.clone();
        let (mut shown, mut life) = (None, None);
        if asks.status == 401 {
            match Challenge::of(&asks)? {
                Challenge::Basic => {
                    shown = self
                        .credential
                        .map(|pair| basic(pair.username(), pair.secret()));
                }
                Challenge::Bearer(realm) => {
                    let given = self.token(&registry, &realm).await?;
                    (shown, life) = (Some(bearer(&given.token)), Some(given.life));
                }
            }
        }
        Ok(Pass { base, shown, life })
    }
}
