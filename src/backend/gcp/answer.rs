//! Answers of token endpoints, as far as they don't depend on the request; the rest is in [`super::refusal`].

use reqwest::Url;
use serde::de::DeserializeOwned;

use super::PART;
use super::errors::GcpError;
use crate::config::Node;
use crate::error::Error;
use crate::http::{Http, Request, Response};
use crate::json;

/// An answer, success or refusal, and its host.
pub(super) struct Answer {
    pub(super) host: String,
    pub(super) response: Response,
}

/// What asks for one identity. `origin` is what defines the identity, for errors.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) http: &'a Http,
    pub(super) node: &'a Node,
    pub(super) origin: &'a str,
}

impl Asker<'_> {
    /// Sends a request to an endpoint. An answer that isn't a refusal (throttling, a failing server, a redirect) is an
    /// error here.
    pub(super) async fn ask(self, request: &Request) -> Result<Answer, Error> {
        let answer = self.http.send(request).await;
        let answer = answer.map_err(|fault| fault.error(PART))?;
        Ok(Answer::of(request, answer)?)
    }
}

impl Answer {
    pub(super) fn of(request: &Request, response: Response) -> Result<Self, GcpError> {
        let host = Url::parse(request.place())
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        match response.status {
            429 => {
                let retry_after = response.retry_after();
                Err(GcpError::Throttled { host, retry_after })
            }
            status @ 500.. => Err(GcpError::Failing { host, status }),
            status @ 300..400 => Err(GcpError::Redirect { host, status }),
            _ => Ok(Self { host, response }),
        }
    }

    /// The JSON object of a success.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, GcpError> {
        let no_json = |what| GcpError::NoJson {
            host: self.host.clone(),
            what,
        };
        if !self.response.is_json() {
            return Err(no_json("something that is not JSON"));
        }
        json::object(&self.response.body).map_err(|_| no_json("JSON that is damaged or no object"))
    }

    /// The JSON object of a refusal; empty if it isn't one.
    pub(super) fn refusal<T: DeserializeOwned + Default>(&self) -> T {
        json::object(&self.response.body).unwrap_or_default()
    }
}
