//! The calls of the gateway's HTTP API, and what is remembered to make fewer of them.

use std::time::{Instant, SystemTime};

use tokio::task::JoinHandle;

use super::held::Held;
use super::{PART, errors};
use crate::cache::Memory;
use crate::config::{Endpoint, GatewayConfig};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::http::{Cleartext, Fault, Http, Request, Response};
use crate::json::{self, ObjectWriter, Value};
use crate::store::Lookup;

/// One workspace's secrets, for the time of one command.
pub(super) struct Api<'a> {
    http: Http,
    endpoint: &'a Endpoint,
    memory: Option<&'a Memory<'a>>,
    workspace: String,
}

/// Secrets that are being read side by side, in the order in which they were asked for.
pub(super) struct Values<'a> {
    api: &'a Api<'a>,
    pending: std::vec::IntoIter<(&'a str, Result<JoinHandle<Outcome>, Error>)>,
}

type Outcome = Result<Response, Fault>;

impl<'a> Api<'a> {
    /// The workspace that is configured, or else the token's own, which is asked for once and then remembered.
    pub(super) async fn open(
        endpoint: &'a Endpoint,
        config: &GatewayConfig,
        deadline: Instant,
        memory: Option<&'a Memory<'a>>,
    ) -> Result<Self, Error> {
        let cleartext = if config.insecure { Cleartext::Anywhere } else { Cleartext::Loopback };
        let http = Http::new(deadline, cleartext).map_err(|fault| fault.error(PART))?;
        let mut api = Self { http, endpoint, memory, workspace: String::new() };
        let remembered = || Some(memory?.recall(WORKSPACE, &api.owner())?.text.expose().to_owned());
        let known = config.workspace.clone().or_else(remembered);
        api.workspace = match known {
            Some(workspace) => workspace,
            None => api.current_workspace().await?,
        };
        if !is_segment(&api.workspace) {
            return Err(errors::unfit("a workspace's id", &api.workspace));
        }
        Ok(api)
    }

    /// The name under which the host's secret was found last.
    pub(super) fn remembered_name(&self, host: &Host) -> Option<Redacted> {
        Some(self.memory?.recall(NAME, &self.place(host))?.text)
    }

    pub(super) fn remember_name(&self, host: &Host, name: &str) {
        if let Some(memory) = self.memory {
            memory.note(NAME, &self.place(host), name);
        }
    }

    pub(super) fn forget_name(&self, host: &Host) {
        if let Some(memory) = self.memory {
            memory.forget(NAME, &self.place(host));
        }
    }

    /// The secrets of these names; `None` where there is none, or the gateway could not read it, which is one answer.
    pub(super) fn values(&'a self, names: &'a [String]) -> Values<'a> {
        let ask = |name: &'a String| {
            let task = self.secret_url(name).map(|url| {
                let (http, request) = (self.http.clone(), Request::get(url).bearer(&self.endpoint.token));
                tokio::spawn(async move { http.send(&request).await })
            });
            (name.as_str(), task)
        };
        Values { api: self, pending: names.iter().map(ask).collect::<Vec<_>>().into_iter() }
    }

    /// What stands under each of these names, for a writer, who must be certain: what is not listed is not there. `None`
    /// when a secret that is listed is not given, because it has just been deleted or cannot be read.
    pub(super) async fn held(&self, names: &[String], lookup: &Lookup<'_>) -> Result<Option<Vec<Held>>, Error> {
        let listed = self.names().await?;
        let (present, absent): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| listed.contains(name));
        let mut held: Vec<_> = absent.into_iter().map(|name| (name, Held::Nothing)).collect();
        let mut values = self.values(&present);
        while let Some((name, value)) = values.next().await {
            let Some(value) = value? else { return Ok(None) };
            held.push((name.to_owned(), Held::of(name, Some(value), lookup)));
        }
        let rank = |name: &String| names.iter().position(|one| one == name);
        held.sort_by_key(|(name, _)| rank(name));
        Ok(Some(held.into_iter().map(|(_, held)| held).collect()))
    }

    /// The names of all secrets of the workspace.
    pub(super) async fn names(&self) -> Result<Vec<String>, Error> {
        let answer = self.send(&Request::get(self.url("secret"))).await?;
        if !answer.is_success() {
            return Err(self.refused(&answer, "list its secrets"));
        }
        match json::parse(&answer.body) {
            Ok(Value::Null) => Ok(Vec::new()),
            Ok(Value::Array(secrets)) => {
                let name = |secret: &Value| match secret {
                    Value::Object(secret) => secret.text("name").map(|name| name.expose().to_owned()),
                    _ => None,
                };
                secrets.iter().map(name).collect::<Option<_>>().ok_or_else(|| errors::stranger(self.endpoint))
            }
            _ => Err(errors::stranger(self.endpoint)),
        }
    }

    /// `false` when a secret of this name is there already.
    pub(super) async fn create(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let mut body = ObjectWriter::with_capacity(64 + name.len() + 2 * value.expose().len());
        body.text("name", name).text("value", value.expose());
        let answer = self.send(&Request::post(self.url("secret")).json(body.finish().as_str().into())).await?;
        match answer.status {
            409 => Ok(false),
            _ if answer.is_success() => Ok(true),
            // The name is one that it accepts; the other cause of a 500 is its database.
            _ => Err(self.refused(&answer, &format!("create the secret {name}"))),
        }
    }

    /// `false` when there is no secret of this name any more, or the gateway could not change it, which is one answer.
    pub(super) async fn update(&self, name: &str, value: &Redacted) -> Result<bool, Error> {
        let mut body = ObjectWriter::with_capacity(32 + 2 * value.expose().len());
        body.text("value", value.expose());
        let request = Request::patch(self.secret_url(name)?).json(body.finish().as_str().into());
        let answer = self.send(&request).await?;
        match answer.status {
            500 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.refused(&answer, &format!("change the secret {name}"))),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let answer = self.send(&Request::delete(self.secret_url(name)?)).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refused(&answer, &format!("delete the secret {name}"))) }
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
            return Err(errors::no_workspace(self.endpoint));
        }
        if !answer.is_success() {
            return Err(errors::status(self.endpoint, None, &answer, "say which workspace the token is for"));
        }
        // Other members of this object are secret: of all of it, only the id is touched.
        let object = json::parse_object(&answer.body).map_err(|_| errors::no_workspace(self.endpoint))?;
        let id = object.text("external_id").filter(|id| is_segment(id.expose()));
        let id = id.ok_or_else(|| errors::no_workspace(self.endpoint))?;
        Ok((id.expose().to_owned(), answer.date()))
    }

    fn value(&self, outcome: Outcome) -> Result<Option<Redacted>, Error> {
        let answer = outcome.map_err(|fault| fault.error(PART))?;
        if answer.status != 404 && !answer.is_success() {
            return Err(self.refused(&answer, "give its secrets"));
        }
        let object = json::parse_object(&answer.body).map_err(|_| errors::stranger(self.endpoint))?;
        if answer.is_success() {
            return object.text("value").cloned().map(Some).ok_or_else(|| errors::stranger(self.endpoint));
        }
        // Another 404, of a proxy or of a path that the gateway does not have, says nothing about secrets.
        if object.get("error").is_some() { Ok(None) } else { Err(errors::stranger(self.endpoint)) }
    }

    async fn send(&self, request: &Request) -> Result<Response, Error> {
        let request = request.clone().bearer(&self.endpoint.token);
        self.http.send(&request).await.map_err(|fault| fault.error(PART))
    }

    fn refused(&self, answer: &Response, what: &str) -> Error {
        // Should the token have been given to another workspace, that one is asked for the next time.
        if let (400 | 401 | 403, Some(memory)) = (answer.status, self.memory) {
            memory.forget(WORKSPACE, &self.owner());
        }
        errors::status(self.endpoint, Some(&self.workspace), answer, what)
    }

    fn url(&self, kind: &str) -> String {
        format!("{}/{kind}/{}", self.endpoint.url, self.workspace)
    }

    fn secret_url(&self, name: &str) -> Result<String, Error> {
        if is_segment(name) {
            return Ok(format!("{}/{name}", self.url("secret")));
        }
        Err(errors::unfit("a secret's name", name))
    }

    /// Whose workspace is remembered: it is kept under a keyed hash of these.
    fn owner(&self) -> [&str; 2] {
        [&self.endpoint.url, self.endpoint.token.expose()]
    }

    fn place<'n>(&'n self, host: &'n Host) -> [&'n str; 3] {
        [&self.endpoint.url, &self.workspace, host.as_str()]
    }
}

impl<'a> Values<'a> {
    /// The next name, and what stands under it.
    pub(super) async fn next(&mut self) -> Option<(&'a str, Result<Option<Redacted>, Error>)> {
        let (name, task) = self.pending.next()?;
        let value = match task {
            Ok(task) => match task.await {
                Ok(outcome) => self.api.value(outcome),
                Err(error) => Err(Problem::new(PART, "a request was given up").source(error).failed()),
            },
            Err(error) => Err(error),
        };
        Some((name, value))
    }
}

/// Whether a text is one segment of a path as it stands, and stays one in every proxy on the way.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= MAX_SEGMENT && text.bytes().all(plain) && !text.bytes().all(|byte| byte == b'.')
}

const WORKSPACE: &str = "gateway workspace";
const NAME: &str = "gateway name";
const MAX_SEGMENT: usize = 255;
