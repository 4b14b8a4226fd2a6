//! Google Artifact Registry and Container Registry.

use super::{Fit, Login, Minted, Scope};
use crate::error::{Error, Problem};
use crate::keys::Keys;

pub(super) fn fit(keys: &Keys) -> Fit {
    if super::GCP_KEYS.iter().any(|key| keys.has(key)) { Fit::Complete } else { Fit::Absent }
}

pub(super) fn login(_login: &Login) -> Result<Minted, Error> {
    Err(Problem::new("backend gcp", "this version cannot turn cloud keys into a registry token yet")
        .fix("store the user name and password of a token you minted yourself")
        .failed())
}

pub(super) fn scope(login: &Login) -> Option<Scope> {
    login.keys.map(Scope::of_keys)
}
