//! Amazon ECR and ECR Public.

use super::{Login, Minted, Scope};
use crate::error::{Error, Problem};

pub(super) fn login(_login: &Login) -> Result<Minted, Error> {
    Err(Problem::new("backend aws", "this version cannot turn cloud keys into a registry token yet")
        .fix("store the user name and password of a token you minted yourself")
        .failed())
}

pub(super) fn scope(login: &Login) -> Option<Scope> {
    login.keys.map(Scope::of_keys)
}
