//! The calls of the gateway's HTTP API, and cached answers that save calls.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use serde::Deserialize;

use super::PART;
use super::errors::GatewayError;
use super::names::MAX_NAME;
use super::ownership::Held;
use super::read::Reader;
use crate::cache::Memory;
use crate::config::{Endpoint, GatewayConfig};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::http::{Cleartext, Http, Request, Response};
use crate::json;
use crate::store::Lookup;

/// One workspace's secrets, for one command.
pub(super) struct Api<'a> {
    http: Http,
    endpoint: &'a Endpoint,
    memory: Option<&'a Memory<'a>>,
    workspace: String,
    /// Whether the gateway itself named this as the token's workspace.
    is_own: bool,
}

impl<'a> Api<'a> {
    /// Uses the configured workspace, or else the token's own, which is requested once and cached.
    pub(super) async fn open(
        endpoint: &'a Endpoint,
        config: &GatewayConfig,
        deadline: Instant,
        memory: Option<&'a Memory<'a>>,
    ) -> Result<Self, Error> {
        let cleartext = if config.insecure {
            Cleartext::Anywhere
        } else {
            Cleartext::Loopback
        };
        let http = Http::new(deadline, cleartext).map_err(|fault| fault.error(PART))?;
        let mut api = Self {
            http,
            endpoint,
            memory,
            workspace: String::new(),
            is_own: config.workspace.is_none(),
        };
        let known = config.workspace.clone();
        api.workspace = match known.or_else(|| api.recall(WORKSPACE, &api.owner())) {
            Some(workspace) => workspace,
            None => api.current_workspace().await?,
        };
        if !is_segment(&api.workspace) {
            return Err(GatewayError::Unfit("a workspace's id", api.workspace).into());
        }
        Ok(api)
    }

    /// The names of the secrets in the host's last answer.
    pub(super) fn remembered_names(&self, host: &Host) -> Vec<String> {
        let noted = self.recall(NAME, &self.place(host));
        noted.map_or(Vec::new(), |names| {
            names.split(' ').map(str::to_owned).collect()
        })
    }

    pub(super) fn remember_names(&self, host: &Host, names: &[String]) {
        self.note(NAME, &self.place(host), &names.join(" "));
        self.remember_workspace();
    }

    /// Caches the workspace, after the gateway has answered for it.
    pub(super) fn remember_workspace(&self) {
        if self.memory.is_some() && !self.has_answered() {
            self.note(ANSWERED, &self.whole(), "");
        }
    }

    fn has_answered(&self) -> bool {
        self.is_own || self.recall(ANSWERED, &self.whole()).is_some()
    }

    pub(super) fn forget_name(&self, host: &Host) {
        self.forget(NAME, &self.place(host));
    }

    fn recall(&self, kind: &str, subject: &[&str]) -> Option<String> {
        let recalled = self.memory?.recall(kind, subject)?;
        Some(recalled.text.expose().to_owned())
    }

    fn note(&self, kind: &str, subject: &[&str], text: &str) {
        if let Some(memory) = self.memory {
            memory.note(kind, subject, text);
        }
    }

    fn forget(&self, kind: &str, subject: &[&str]) {
        if let Some(memory) = self.memory {
            memory.forget(kind, subject);
        }
    }

    /// The secrets with these names.
    pub(super) async fn held(
        &self,
        names: &[String],
        lookup: &Lookup<'_>,
    ) -> Result<Vec<Held>, Error> {
        let mut reader = Reader::begin(self, &[], names)?;
        let mut held = Vec::with_capacity(names.len());
        for name in names {
            held.push(Held::of(name, reader.shown(name).await?, lookup));
        }
        Ok(held)
    }

    /// Creates a secret; `false` if one with this name exists.
    pub(super) async fn create(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let body = json::text(&BTreeMap::from([("name", name), ("value", value.expose())]));
        let request = Request::post(self.url()).json(body.into());
        // The name is valid, so the only other cause of a 500 is the gateway's database.
        self.change(request, Some(409), &format!("create the secret {name}"))
            .await
    }

    /// Updates a secret; `false` if it no longer exists or the gateway could not change it, which look the same.
    pub(super) async fn update(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let body = json::text(&BTreeMap::from([("value", value.expose())]));
        let request = Request::patch(self.secret_url(name)?).json(body.into());
        self.change(request, Some(500), &format!("change the secret {name}"))
            .await
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let request = Request::delete(self.secret_url(name)?);
        self.change(request, None, &format!("delete the secret {name}"))
            .await
            .map(|_| ())
    }

    /// Makes a change; `false` for an answer with the status `undone`.
    async fn change(
        &self,
        request: Request,
        undone: Option<u16>,
        what: &str,
    ) -> Result<bool, Error> {
        let answer = self.send(request).await?;
        match answer.status {
            status if Some(status) == undone => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.refused(&answer, what)),
        }
    }

    async fn current_workspace(&self) -> Result<String, Error> {
        let (id, _) = self.whose().await?;
        self.note(WORKSPACE, &self.owner(), &id);
        Ok(id)
    }

    /// The token's workspace, and the gateway's clock if it shows it.
    pub(super) async fn whose(&self) -> Result<(String, Option<SystemTime>), Error> {
        let request = Request::get(format!("{}/api/v1/workspace/current", self.endpoint.url));
        let answer = self.send(request).await?;
        if answer.status == 404 {
            return Err(self.no_workspace());
        }
        if !answer.is_success() {
            let what = "say which workspace the token is for";
            return Err(GatewayError::status(self.endpoint, None, &answer, what).into());
        }
        match json::object(&answer.body) {
            Ok(Workspace { external_id }) if is_segment(&external_id) => {
                Ok((external_id, answer.date()))
            }
            _ => Err(self.no_workspace()),
        }
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        let request = request.bearer(&self.endpoint.token);
        let answer = self.http.send(&request).await;
        answer.map_err(|fault| fault.error(PART))
    }

    pub(super) fn refused(&self, answer: &Response, what: &str) -> Error {
        // The token may have moved to another workspace, so ask again next time.
        if let 401 | 403 = answer.status {
            self.forget(WORKSPACE, &self.owner());
        }
        if answer.status == 400 && self.has_answered() {
            return GatewayError::Lost {
                url: self.endpoint.url.clone(),
                workspace: self.workspace.clone(),
            }
            .into();
        }
        GatewayError::status(self.endpoint, Some(&self.workspace), answer, what).into()
    }

    /// The error if the endpoint does not say which workspace the token is for.
    fn no_workspace(&self) -> Error {
        GatewayError::NoWorkspace(self.endpoint.url.clone()).into()
    }

    /// The error if something other than Beta9's gateway answers.
    pub(super) fn stranger(&self) -> Error {
        GatewayError::Stranger(self.endpoint.url.clone()).into()
    }

    /// The error for a secret that is listed but not returned.
    pub(super) fn unreadable(&self, name: &str) -> Error {
        GatewayError::Unreadable {
            url: self.endpoint.url.clone(),
            name: name.to_owned(),
        }
        .into()
    }

    pub(super) fn http(&self) -> Http {
        self.http.clone()
    }

    /// The request for the list of secrets.
    pub(super) fn secrets(&self) -> Request {
        Request::get(self.url()).bearer(&self.endpoint.token)
    }

    /// The request for a secret.
    pub(super) fn secret(&self, name: &str) -> Result<Request, Error> {
        Ok(Request::get(self.secret_url(name)?).bearer(&self.endpoint.token))
    }

    fn url(&self) -> String {
        format!("{}/secret/{}", self.endpoint.url, self.workspace)
    }

    /// Escapes brackets of an IPv6 address, the only characters in a name that a path can't contain.
    fn secret_url(&self, name: &str) -> Result<String, Error> {
        if is_segment(&name.replace(['[', ']'], "")) {
            return Ok(format!(
                "{}/{}",
                self.url(),
                name.replace('[', "%5B").replace(']', "%5D")
            ));
        }
        Err(GatewayError::Unfit("a secret's name", name.to_owned()).into())
    }

    /// The key for caching the workspace.
    fn owner(&self) -> [&str; 2] {
        [&self.endpoint.url, self.endpoint.token.expose()]
    }

    fn place<'n>(&'n self, host: &'n Host) -> [&'n str; 3] {
        [&self.endpoint.url, &self.workspace, host.as_str()]
    }

    fn whole(&self) -> [&str; 2] {
        [&self.endpoint.url, &self.workspace]
    }
}

/// The other members are secret, so only the id is read.
#[derive(Deserialize)]
struct Workspace {
    external_id: String,
}

/// Whether a text is a single path segment that no proxy would change.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.bytes().all(plain)
        && !text.bytes().all(|byte| byte == b'.')
}

const WORKSPACE: &str = "gateway workspace";
const NAME: &str = "gateway name";
const ANSWERED: &str = "gateway answered";
