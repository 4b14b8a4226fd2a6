//! From a route to a credential: decides which identity logs in.

use std::sync::LazyLock;
use std::time::SystemTime;

use super::end::{earlier, end_of};
use super::shared::Sharing;
use super::{Resolver, Route, Source};
use crate::cache::{NODE, POD};
use crate::config::CloudSettings;
use crate::credential::Credential;
use crate::error::Error;
use crate::keys::Keys;
use crate::registry::choose;
use crate::service_account::ServiceAccount;
use crate::store::{Found, Keep};
use crate::token::Minted;

/// A credential, and what is known about it.
#[derive(Debug)]
pub struct Answered {
    /// The credential.
    pub credential: Credential,
    /// When it expires; `None` if unknown.
    pub expires: Option<SystemTime>,
    /// Whether the pod's service account decided it, so that it must not be given to other pods.
    pub of_pod: bool,
}

/// The identity that logs in: a secret's keys, else a pod, else the node.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    /// The store that had the secret, or a constant such as `NODE`.
    pub(super) store: &'static str,
    pub(super) keys: Option<&'a Keys>,
    pub(super) pod: Option<&'a ServiceAccount>,
    pub(super) sharing: Sharing<'a>,
}

impl<'a> Who<'a> {
    /// A secret's keys or the node, but not a pod.
    pub(super) fn new(store: &'static str, keys: Option<&'a Keys>, sharing: Sharing<'a>) -> Self {
        Self {
            store,
            keys,
            pod: None,
            sharing,
        }
    }
}

impl Resolver {
    /// The credential for a route: from its stored secret, else the pod's own identity, else the node's.
    pub fn answer(&self, route: &Route, pod: Option<&ServiceAccount>) -> Result<Answered, Error> {
        let answered = |(minted, of_pod): (Minted, bool)| Answered {
            credential: minted.credential,
            expires: minted.expires,
            of_pod,
        };
        let minted = self.minted(route, pod).map_err(|error| match error {
            Error::NotFound => self.missing(route),
            other => other,
        });
        minted
            .map(answered)
            .map_err(|error| error.about(route.host.as_reference()))
    }

    fn minted(&self, route: &Route, pod: Option<&ServiceAccount>) -> Result<(Minted, bool), Error> {
        if route.is_public() {
            return Err(Error::NotFound);
        }
        let absent = match self.find(route)? {
            None => Error::NotFound,
            Some((store, found)) => {
                // A placeholder isn't a refusal: the secret exists, but this program can't see it.
                let guessed = found.guessed && found.keys.placeholder().is_none();
                match self.of_secret(route, store, found) {
                    Ok(Ok(minted)) => return Ok((minted, false)),
                    // The node logs in if the secret is missing or has expired, but not if it is refused.
                    Err(error) if route.ambient && pod_of(route, pod).is_none() => {
                        return Err(error);
                    }
                    // These secrets were not named for this registry, so a refusal means that they are not for it.
                    Ok(Err(Error::Failed(problem))) | Err(Error::Failed(problem)) if guessed => {
                        let refused = Error::Failed(problem).about(route.host.as_reference());
                        self.warnings.add(format_args!("{refused}; {GUESSED}"));
                        Error::NotFound
                    }
                    Ok(Err(ended)) => ended,
                    Err(error) => return Err(error),
                }
            }
        };
        match (self.of_identity(route, pod), absent) {
            (Err(Error::NotFound), absent) => Err(absent),
            (Err(Error::Failed(problem)), Error::NotFound) if problem.is_dispensable() => {
                let denied = Error::Failed(problem).about(route.host.as_str());
                self.warnings
                    .add(format_args!("{denied}; the client will pull anonymously"));
                Err(Error::NotFound)
            }
            (answer, _) => answer,
        }
    }

    /// The credential from a secret's keys. The inner error means that they have expired, so a pod or the node may log
    /// in instead.
    fn of_secret(
        &self,
        route: &Route,
        store: &'static str,
        found: Found,
    ) -> Result<Result<Minted, Error>, Error> {
        let Found {
            keys,
            keep,
            times,
            shared,
            ..
        } = found;
        let choice = choose(route.row, route.real, keys)?;
        if let Some(ended) = self.ended(route, store, &choice, times) {
            return Ok(Err(ended));
        }
        self.log.note(format_args!(
            "backend: {}, as {}",
            choice.backend.name(),
            route.row.name
        ));
        let sharing = Sharing::Read(shared.as_ref());
        let who = Who::new(store, Some(&choice.keys), sharing);
        let minted = self.login(&choice.backend, route, who, keep)?;
        let expires = earlier(minted.expires, end_of(&choice, times));
        Ok(Ok(Minted { expires, ..minted }))
    }

    /// The credential of the pod's own identity, or else the node's, and whether it is the pod's.
    fn of_identity(
        &self,
        route: &Route,
        pod: Option<&ServiceAccount>,
    ) -> Result<(Minted, bool), Error> {
        let cloud = route.row.cloud().ok_or(Error::NotFound)?;
        let pod = pod_of(route, pod);
        if pod.is_none() && !route.ambient {
            return Err(Error::NotFound);
        }
        let store = if pod.is_some() { POD } else { NODE };
        self.answered_by.set(Source::of(Some(store)));
        self.log.note(format_args!(
            "backend: {}, by the {store}'s own identity",
            cloud.name()
        ));
        let node = Who::new(store, None, Sharing::No);
        let minted = self.login(cloud, route, Who { pod, ..node }, Keep::Disk)?;
        Ok((minted, pod.is_some()))
    }
}

/// The pod, if it may log in as itself.
fn pod_of<'p>(route: &Route, pod: Option<&'p ServiceAccount>) -> Option<&'p ServiceAccount> {
    let cloud = route.row.cloud().filter(|_| route.workload_identity)?;
    pod.filter(|account| cloud.is_for_pod(account, route.settings()))
}

/// The warning about secrets that were tried and refused.
const GUESSED: &str = "single secrets of the workspace were tried; name them in a rule, or set single_secrets = \"named\"";

impl<'a> Route<'a> {
    /// The operator's settings for the cloud.
    pub(super) fn settings(&self) -> &'a CloudSettings {
        static NONE: LazyLock<CloudSettings> = LazyLock::new(CloudSettings::default);
        self.rule.map_or(&NONE, |rule| &rule.cloud)
    }
}
