//! The calls of the gateway's HTTP API, and what is remembered to make fewer of them.

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

/// One workspace's secrets, for the time of one command.
pub(super) struct Api<'a> {
    http: Http,
    endpoint: &'a Endpoint,
    memory: Option<&'a Memory<'a>>,
    workspace: String,
    /// Whether the gateway itself has said that this is the token's workspace.
    is_own: bool,
}

impl<'a> Api<'a> {
    /// The workspace that is configured, or else the token's own, which is asked for once and then remembered.
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
        let remembered = || {
            Some(
                memory?
                    .recall(WORKSPACE, &api.owner())?
                    .text
                    .expose()
                    .to_owned(),
            )
        };
        let known = config.workspace.clone().or_else(remembered);
        api.workspace = match known {
            Some(workspace) => workspace,
            None => api.current_workspace().await?,
        };
        if !is_segment(&api.workspace) {
            return Err(GatewayError::Unfit("a workspace's id", api.workspace).into());
        }
        Ok(api)
    }

    /// The names of the secrets that the host's credential was made of last.
    pub(super) fn remembered_names(&self, host: &Host) -> Vec<String> {
        let noted = self
            .memory
            .and_then(|memory| memory.recall(NAME, &self.place(host)));
        noted.map_or(Vec::new(), |noted| {
            noted.text.expose().split(' ').map(str::to_owned).collect()
        })
    }

    pub(super) fn remember_names(&self, host: &Host, names: &[String]) {
        if let Some(memory) = self.memory {
            memory.note(NAME, &self.place(host), &names.join(" "));
            self.remember_workspace();
        }
    }

    /// Notes that the gateway has answered for this workspace.
    pub(super) fn remember_workspace(&self) {
        if let Some(memory) = self.memory.filter(|_| !self.has_answered()) {
            memory.note(ANSWERED, &self.whole(), "");
        }
    }

    fn has_answered(&self) -> bool {
        self.is_own
            || self
                .memory
                .is_some_and(|memory| memory.recall(ANSWERED, &self.whole()).is_some())
    }

    pub(super) fn forget_name(&self, host: &Host) {
        if let Some(memory) = self.memory {
            memory.forget(NAME, &self.place(host));
        }
    }

    /// What stands under each of these names.
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

    /// `false` when a secret of this name is there already.
    pub(super) async fn create(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let body = json::text(&BTreeMap::from([("name", name), ("value", value.expose())]));
        let request = Request::post(self.url()).json(body.into());
        let answer = self.send(&request).await?;
        match answer.status {
            409 => Ok(false),
            _ if answer.is_success() => Ok(true),
            // The name is one that it accepts; the other cause of a 500 is its database.
            _ => Err(self.refused(&answer, &format!("create the secret {name}"))),
        }
    }

    /// `false` when there is no secret of this name any more, or the gateway could not change it, which is one answer.
    pub(super) async fn update(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let body = json::text(&BTreeMap::from([("value", value.expose())]));
        let request = Request::patch(self.secret_url(name)?).json(body.into());
        let answer = self.send(&request).await?;
        match answer.status {
            500 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.refused(&answer, &format!("change the secret {name}"))),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let answer = self.send(&Request::delete(self.secret_url(name)?)).await?;
        if answer.is_success() {
            Ok(())
        } else {
            Err(self.refused(&answer, &format!("delete the secret {name}")))
        }
    }

    async fn current_workspace(&self) -> Result<String, Error> {
        let (id, _) = self.whose().await?;
        if let Some(memory) = self.memory {
            memory.note(WORKSPACE, &self.owner(), &id);
        }
        Ok(id)
    }

    /// The workspace that the token is for, and the gateway's clock where it shows it.
    pub(super) async fn whose(&self) -> Result<(String, Option<SystemTime>), Error> {
        let request = Request::get(format!("{}/api/v1/workspace/current", self.endpoint.url));
        let answer = self.send(&request).await?;
        if answer.status == 404 {
            return Err(self.no_workspace());
        }
        if !answer.is_success() {
            return Err(GatewayError::status(
                self.endpoint,
                None,
                &answer,
                "say which workspace the token is for",
            )
            .into());
        }
        match json::object(&answer.body) {
            Ok(Workspace { external_id }) if is_segment(&external_id) => {
                Ok((external_id, answer.date()))
            }
            _ => Err(self.no_workspace()),
        }
    }

    async fn send(&self, request: &Request) -> Result<Response, Error> {
        let request = request.clone().bearer(&self.endpoint.token);
        self.http
            .send(&request)
            .await
            .map_err(|fault| fault.error(PART))
    }

    pub(super) fn refused(&self, answer: &Response, what: &str) -> Error {
        // Should the token have been given to another workspace, that one is asked for the next time.
        if let (401 | 403, Some(memory)) = (answer.status, self.memory) {
            memory.forget(WORKSPACE, &self.owner());
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

    /// The endpoint answers, but does not say which workspace the token is for.
    fn no_workspace(&self) -> Error {
        GatewayError::NoWorkspace(self.endpoint.url.clone()).into()
    }

    /// What answers is not Beta9's gateway.
    pub(super) fn stranger(&self) -> Error {
        GatewayError::Stranger(self.endpoint.url.clone()).into()
    }

    /// A secret is there and is not given.
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

    /// The brackets of an IPv6 address are the one thing in a name that no path may hold as it is.
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

    /// Whose workspace is remembered: it is kept under a keyed hash of these.
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

/// Its other members are secret: of all of it, only the id is touched.
#[derive(Deserialize)]
struct Workspace {
    external_id: String,
}

/// Whether a text is one segment of a path as it stands, and stays one in every proxy on the way.
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
