//! `Request`: a validated request of kubelet's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::errors::KubeletError;
use super::API_VERSION;
use crate::credential::Redacted;
use crate::json::{self, Loose};

/// The request as serialized.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Written {
    kind: Loose<String>,
    api_version: Loose<String>,
    image: Loose<String>,
    service_account_token: Loose<Option<Redacted>>,
    service_account_annotations: Loose<Option<BTreeMap<String, String>>>,
}

/// A validated request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) image: String,
    pub(super) token: Option<Redacted>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Request {
    /// Parses a request. Kind and version must match exactly, and no field that is read may be repeated. Unknown fields
    /// are ignored, because version 1 may get more, as it got the service account's
    /// (<https://kubernetes.io/docs/reference/using-api/deprecation-policy/>).
    pub(super) fn parse(text: &[u8]) -> Result<Self, KubeletError> {
        let written: Written = json::object(text).map_err(KubeletError::Json)?;
        if written.kind.take().as_deref() != Some(REQUEST) {
            return Err(KubeletError::Kind(REQUEST));
        }
        if written.api_version.take().as_deref() != Some(API_VERSION) {
            return Err(KubeletError::Version);
        }
        let image = written.image.take().filter(|image| !image.is_empty());
        let token = written.service_account_token.or_default();
        let annotations = written.service_account_annotations.or_default();
        Ok(Self {
            image: image.ok_or(KubeletError::Member("image", "missing or not a string"))?,
            token: Some(token.ok_or(KubeletError::Member("serviceAccountToken", "not a string"))?)
                .filter(|token| !token.is_empty()),
            annotations: annotations.ok_or(KubeletError::Member(
                "serviceAccountAnnotations",
                "not an object of strings",
            ))?,
        })
    }
}

/// Whether this is a request of kubelet's, in any version.
pub(super) fn is_request(text: &[u8]) -> bool {
    json::object::<Kind>(text).is_ok_and(|object| object.kind == REQUEST)
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

const REQUEST: &str = "CredentialProviderRequest";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn request(rest: &str) -> String {
        format!(r#"{{"kind":"{REQUEST}","apiVersion":"{API_VERSION}"{rest}}}"#)
    }

    #[test]
    fn the_service_account_is_optional_and_unknown_fields_are_ignored() {
        let parse = |rest: &str| Request::parse(request(rest).as_bytes()).unwrap();
        let whole = parse(
            r#","image":"ghcr.io/a","serviceAccountToken":"t","serviceAccountAnnotations":{"a":"b"}"#,
        );
        assert_eq!(
            (whole.image.as_str(), whole.token.unwrap().expose()),
            ("ghcr.io/a", "t")
        );
        assert_eq!(
            whole.annotations.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "b".to_owned())]
        );
        for rest in [
            "",
            r#","serviceAccountToken":"","serviceAccountAnnotations":{}"#,
            r#","serviceAccountToken":null,"serviceAccountAnnotations":null"#,
            r#","somethingOfNextYear":{"x":[1]}"#,
        ] {
            let request = parse(&format!(r#","image":"ghcr.io/a"{rest}"#));
            assert!(
                request.token.is_none() && request.annotations.is_empty(),
                "{rest}"
            );
        }
    }

    #[test]
    fn whatever_is_not_exactly_a_request_is_refused_and_not_quoted() {
        for (text, why) in [
            (
                String::new(),
                "standard input is not one JSON object: it ends too early",
            ),
            ("[]".to_owned(), "it is not an object"),
            (
                format!("{} {{}}", request(r#","image":"a""#)),
                "it is not well-formed",
            ),
            (
                request(r#","image":"a","image":"a""#),
                "a key stands in it twice",
            ),
            (
                request(r#","image":"a","serviceAccountAnnotations":{"a":"b","a":"b"}"#),
                "a key stands in it twice",
            ),
            (request(""), "\"image\" is missing"),
            (request(r#","image":"""#), "\"image\" is missing"),
            (request(r#","Image":"a""#), "\"image\" is missing"),
            (request(r#","image":["hunter2"]"#), "\"image\" is missing"),
            (
                request(r#","image":"a","serviceAccountToken":7"#),
                "\"serviceAccountToken\" is not a string",
            ),
            (
                request(r#","image":"a","serviceAccountAnnotations":["hunter2"]"#),
                "is not an object of strings",
            ),
            (
                request(r#","image":"a","serviceAccountAnnotations":{"a":{"b":"hunter2"}}"#),
                "is not an object of strings",
            ),
            (
                request(r#","image":"a""#).replace("Request", "Response"),
                "\"kind\" is not CredentialProviderRequest",
            ),
            (
                request(r#","image":"a""#).replace("kind", "Kind"),
                "\"kind\" is not CredentialProviderRequest",
            ),
            (
                request(r#","image":"a""#).replace("/v1", "/v1beta1"),
                "\"apiVersion\" is not credentialprovider",
            ),
            (
                request(r#","image":"a""#).replace("/v1", "/v2"),
                "as the provider's apiVersion in kubelet's",
            ),
        ] {
            let error = Error::from(Request::parse(text.as_bytes()).unwrap_err()).to_string();
            assert!(
                error.starts_with("kubelet's request: ") && error.contains(why),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn no_error_quotes_what_kubelet_sent() {
        let sound = request(
            r#","image":"hunter2","serviceAccountToken":"hunter2","serviceAccountAnnotations":{"a":"hunter2"}"#,
        );
        crate::json::tests::no_error_quotes_a_value(&sound, Request::parse);
    }
}
