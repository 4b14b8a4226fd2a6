//! The gateway's gRPC API for workers, which a worker token opens: what a worker is vended for an image, and all that
//! a worker node can ask for.
//!
//! What is vended is for memory only: neither the blob nor a token minted from it is ever written, so it is asked for
//! anew on every `get`, and no last answer stands in for a gateway that cannot be reached. The store reads, and that is
//! all. Like Beta9's own workers it speaks TLS when the port is 443 and plain HTTP/2 otherwise; the gRPC connection
//! knows no proxy.

mod address;
mod call;
mod health;
mod message;
mod proxied;
mod refusal;

use std::time::Instant;

use self::address::Address;
use self::call::Call;
use self::message::{Request, Vended};
use self::refusal::Asked;
use super::{Found, Keep, Lookup};
use crate::config::{DEFAULT_WORKSPACE, Pulled, SecretSetting, WorkerConfig};
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::keys::Blob;
use crate::runtime;

/// The gateway's gRPC API for workers, with a worker token. Its answers stay in memory.
#[derive(Debug)]
pub struct WorkerStore {
    workspace: String,
    config: WorkerConfig,
    pulled: Pulled,
}

impl WorkerStore {
    /// The store of one workspace. Nothing is opened yet.
    #[must_use]
    pub fn new(workspace: &str, config: WorkerConfig, pulled: Pulled) -> Self {
        Self { workspace: workspace.to_owned(), config, pulled }
    }

    #[inline(never)] // Kept out of the frame and the pages of whoever needs no network.
    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let (address, token) = self.settings()?;
        if let Some(name) = lookup.secret {
            let cause = format_args!("a rule names the secret \"{}\", and a worker cannot choose", name.escape_debug());
            return Err(problem(cause).fix("remove secret from the rule: the gateway goes by the image").failed());
        }
        let ask = |image| self.ask(&address, token, lookup.host.as_str(), image, lookup.deadline);
        let image = self.config.image_id.as_deref();
        let Some(blob) = found(&ask(image)?, lookup)? else { return Ok(None) };
        // An image's own secret is vended whatever registry is asked for. For no image there is only the build registry's
        // token, and the gateway gives that to the build registry alone.
        let is_bound = blob.registry.is_some()
            || image.is_none()
            || self.pulled.host()?.is_some_and(|host| is_meant(&host, lookup));
        if is_bound {
            return Ok(Some(kept(blob)));
        }
        found(&ask(None)?, lookup)?.map(kept).map(Some).ok_or_else(unbound)
    }

    /// What the gateway vends for a registry.
    fn ask(
        &self,
        address: &Address,
        token: &SecretSetting,
        registry: &str,
        image: Option<&str>,
        deadline: Instant,
    ) -> Result<Vended, Error> {
        let asked = Asked {
            address,
            token: token_source(token),
            workspace: &self.workspace,
            stub: self.config.stub_id.as_deref(),
            image,
        };
        let token = token.read(PART)?;
        let call = Call { address, token: &token, deadline };
        let request = Request {
            workspace_id: self.workspace.clone(),
            stub_id: self.config.stub_id.clone().unwrap_or_default(),
            registry: registry.to_owned(),
            image_id: image.unwrap_or_default().to_owned(),
        };
        let vended = runtime::block_on(PART, deadline, async {
            call.make(&request).await.map_err(|trouble| asked.error(&trouble))
        })?;
        if vended.ok { Ok(vended) } else { Err(asked.refused()) }
    }

    pub(super) fn identity(&self) -> Vec<&str> {
        let WorkerConfig { address, token: _, stub_id, image_id } = &self.config;
        [address, stub_id, image_id].into_iter().map(|text| text.as_deref().unwrap_or_default()).collect()
    }

    #[expect(clippy::unused_self, reason = "it answers for this store")]
    pub(super) fn read_only(&self, server: &str) -> Result<(), Error> {
        let fix = "change the secret where the workspace keeps it; the next pull has the new one";
        Err(problem("it is read-only").fix(fix).failed().about(server))
    }

    /// The address and the token, or everything that is missing at once.
    fn settings(&self) -> Result<(Address, &SecretSetting), Error> {
        let workspace = Some(&self.workspace).filter(|name| !name.is_empty() && *name != DEFAULT_WORKSPACE);
        let (address, token) = (&self.config.address, &self.config.token);
        let (Some(_), Some(address), Some(token)) = (workspace, address, token) else {
            let settings = [
                (workspace.is_some(), "workspace", "BETA9_WORKSPACE_ID"),
                (address.is_some(), "address", "BETA9_WORKER_ADDRESS"),
                (token.is_some(), "token", "BETA9_WORKER_TOKEN"),
            ];
            let missing = settings.iter().filter(|(set, ..)| !set);
            let (names, variables): (Vec<_>, Vec<_>) = missing.map(|(_, name, variable)| (*name, *variable)).unzip();
            return Err(problem(format_args!("no {} is configured", names.join(", no ")))
                .fix(format_args!("set {}, or the same in the configuration", variables.join(", ")))
                .failed());
        };
        let address = Address::parse(address).map_err(|error| {
            problem(error).fix("correct BETA9_WORKER_ADDRESS, or address in [store.worker]: host:port").failed()
        })?;
        Ok((address, token))
    }
}

/// The vended blob, if there is one; one that names a registry, and not the one asked for, is an error.
fn found(vended: &Vended, lookup: &Lookup) -> Result<Option<Blob>, Error> {
    if vended.credentials.expose().trim().is_empty() {
        return Ok(None);
    }
    let blob = Blob::parse(vended.credentials.expose())
        .map_err(|error| problem(error).fix("correct the secret that the gateway vends for this image").failed())?;
    if let Some(other) = blob.registry.as_ref().filter(|host| !is_meant(host, lookup)) {
        // The gateway gave it in answer to this registry's name, so this is a mistake and not an absence.
        return Err(problem(format_args!("the gateway vended a secret for another registry, {other}; it is not used"))
            .fix("see whether BETA9_IMAGE_ID is the image that is pulled, and which secret that image has")
            .failed());
    }
    Ok(Some(blob))
}

fn is_meant(host: &Host, lookup: &Lookup) -> bool {
    host == lookup.host || Some(host) == lookup.alias_of
}

fn kept(blob: Blob) -> Found {
    Found::new(blob.keys, Keep::Memory)
}

fn unbound() -> Error {
    problem("the image's secret does not say which registry it is for")
        .fix("add \"registry\" to it, or set BETA9_IMAGE to the image that is pulled")
        .failed()
}

/// Where the token comes from, for people who must replace it.
fn token_source(token: &SecretSetting) -> String {
    match token {
        SecretSetting::Inline(_) => "BETA9_WORKER_TOKEN, or token in [store.worker]".to_owned(),
        SecretSetting::File(path) => path.display().to_string(),
    }
}

fn problem(cause: impl std::fmt::Display) -> Problem {
    Problem::new(PART, cause)
}

const PART: &str = "worker store";

#[cfg(test)]
mod tests {
    use super::*;

    fn vend(blob: &str, asked: &str, alias_of: Option<&str>) -> Result<Option<Found>, String> {
        let host = |text: &str| Host::parse(text.as_bytes()).unwrap();
        let (host, alias_of) = (host(asked), alias_of.map(host));
        let (deadline, alias_of) = (Instant::now(), alias_of.as_ref());
        let lookup = Lookup { alias_of, deadline, ..Lookup::of(&host) };
        let found = found(&Vended { ok: true, credentials: blob.into() }, &lookup);
        found.map(|blob| blob.map(kept)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_vended_is_for_memory_only_and_for_the_registry_asked_for() {
        let ghcr = r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#;
        assert_eq!(vend(ghcr, "ghcr.io", None).unwrap().unwrap().keep, Keep::Memory);
        assert_eq!(vend(ghcr, "mirror.example", Some("ghcr.io")).unwrap().unwrap().keep, Keep::Memory);
        assert_eq!(vend("u:p", "quay.io", None).unwrap().unwrap().keep, Keep::Memory);
        for (host, alias_of) in [("quay.io", None), ("ghcr.io:5000", None), ("mirror.example", Some("quay.io"))] {
            let error = vend(ghcr, host, alias_of).unwrap_err();
            assert!(error.contains("another registry, ghcr.io") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn nothing_vended_is_nothing_found() {
        for nothing in ["", " \n"] {
            assert!(vend(nothing, "ghcr.io", None).unwrap().is_none());
        }
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let missing = |workspace: &str, config| {
            WorkerStore::new(workspace, config, Pulled::default()).settings().map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            missing(DEFAULT_WORKSPACE, WorkerConfig::default()),
            "worker store: no workspace, no address, no token is configured; set BETA9_WORKSPACE_ID, BETA9_WORKER_ADDRESS, BETA9_WORKER_TOKEN, or the same in the configuration"
        );
        let token = Some(SecretSetting::Inline("hunter2".into()));
        let half = WorkerConfig { token: token.clone(), ..WorkerConfig::default() };
        assert_eq!(
            missing("w", half),
            "worker store: no address is configured; set BETA9_WORKER_ADDRESS, or the same in the configuration"
        );
        let wrong = WorkerConfig { token, address: Some("http://gateway".into()), ..WorkerConfig::default() };
        assert!(missing("w", wrong).contains("correct BETA9_WORKER_ADDRESS"));
    }
}
