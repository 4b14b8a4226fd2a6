//! What a token endpoint answers, as far as it is no matter of who asked: the rest is in [`super::refusal`].

use reqwest::Url;
use serde::de::DeserializeOwned;

use super::PART;
use crate::error::{Error, Problem};
use crate::http::{Fault, Http, Request, Response};
use crate::json;

/// An answer, success or refusal, and the host that gave it.
pub(super) struct Answer {
    pub(super) host: String,
    pub(super) response: Response,
}

/// Asks an endpoint. What is nobody's refusal (throttling, a failing server, a redirect) is an error already.
pub(super) async fn ask(http: &Http, url: &str, request: &Request) -> Result<Answer, Error> {
    Answer::of(
        url,
        http.send(request)
            .await
            .map_err(|fault| unanswered(&fault))?,
    )
}

/// The error where there is no answer at all.
pub(super) fn unanswered(fault: &Fault) -> Error {
    fault.error(PART)
}

impl Answer {
    pub(super) fn of(url: &str, response: Response) -> Result<Self, Error> {
        let host = Url::parse(url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        let problem = |what: &str| {
            Problem::new(
                PART,
                format_args!("{host} {what} (status {})", response.status),
            )
        };
        match response.status {
            429 => {
                let after = response.retry_after().map_or("later".to_owned(), |after| {
                    format!("in {} s", after.as_secs())
                });
                Err(problem("throttles: it gets too many requests")
                    .fix(format_args!(
                        "try again {after}, and see who else asks for tokens with this identity"
                    ))
                    .unreachable()
                    .answered())
            }
            500.. => Err(problem("fails")
                .fix("try again; it is not yours to mend")
                .unreachable()
                .answered()),
            300..400 => Err(problem("redirects to another place, which is not followed")
                .fix(INTERFERENCE)
                .failed()),
            _ => Ok(Self { host, response }),
        }
    }

    /// The JSON object of a success.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let problem = |what: &str| {
            Problem::new(PART, format_args!("{} {what}", self.host))
                .fix(INTERFERENCE)
                .failed()
        };
        if !self.response.is_json() {
            return Err(problem("answered something that is not JSON"));
        }
        json::object(&self.response.body)
            .map_err(|_| problem("answered JSON that is damaged or no object"))
    }

    /// The JSON object of a refusal, or an empty one.
    pub(super) fn refusal<T: DeserializeOwned + Default>(&self) -> T {
        json::object(&self.response.body).unwrap_or_default()
    }
}

const INTERFERENCE: &str =
    "see whether a proxy or a sign-in page of the network answers in its place";
