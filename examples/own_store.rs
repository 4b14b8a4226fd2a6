//! Answers docker's `get` from a custom store, here one secret in an environment variable. The library matches the
//! host, chooses the backend for the keys, and logs in: `echo ghcr.io | OWN_HOST=ghcr.io GITHUB_USERNAME=octo
//! GITHUB_TOKEN=… cargo run --example own_store`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use beta9_credential::backend::Login;
use beta9_credential::config::{CloudSettings, Node};
use beta9_credential::credential::Credential;
use beta9_credential::error::Error;
use beta9_credential::host::{Host, ServerUrl};
use beta9_credential::keys::Keys;
use beta9_credential::registry::{Registry, choose};

#[allow(clippy::print_stdout, reason = "docker reads standard output")]
fn main() -> ExitCode {
    let asked = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
    match answer(asked.trim_end()) {
        Ok((username, secret)) => {
            println!(
                r#"{{"ServerURL":{asked:?},"Username":{username:?},"Secret":{secret:?}}}"#,
                asked = asked.trim_end()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(asked: &str) -> Result<(String, String), Error> {
    let url = ServerUrl::parse(asked.as_bytes()).map_err(|_| Error::NotFound)?;
    let host = url.host().ok_or(Error::NotFound)?;
    let keys = secret_for(host).ok_or(Error::NotFound)?;
    let choice = choose(Registry::of(host), host, keys)?;
    let minted = choice.backend.login(&Login {
        host,
        keys: Some(&choice.keys),
        pod: None,
        ambient: false,
        settings: &CloudSettings::default(),
        node: &Node::default(),
        deadline: Instant::now() + Duration::from_secs(10),
    })?;
    let credential: Credential = minted.credential;
    Ok((
        credential.username().to_owned(),
        credential.secret().expose().to_owned(),
    ))
}

/// The store: the secret of the one host that the environment names.
#[allow(
    clippy::disallowed_methods,
    reason = "an example reads its own environment"
)]
fn secret_for(host: &Host) -> Option<Keys> {
    let owner = std::env::var("OWN_HOST").ok()?;
    if Host::parse(owner.as_bytes()).ok()? != *host {
        return None;
    }
    let mut keys = Keys::default();
    for (name, value) in std::env::vars() {
        if let Some(prefix) = ["GITHUB_", "REGISTRY_"]
            .iter()
            .find(|prefix| name.starts_with(**prefix))
            && prefix.len() < name.len()
        {
            keys.insert(&name, value.into()).ok()?;
        }
    }
    Some(keys)
}
