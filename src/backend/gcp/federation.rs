//! Subject tokens of workload identity federation: the other identity provider's token for this node
//! (<https://google.aip.dev/auth/4117>), from a source that the operator configured.

use std::path::Path;

use super::ambient::read;
use super::answer::{Answer, ask};
use super::aws;
use super::document::{External, Source};
use super::errors::GcpError;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{Http, Request};
use crate::json;

/// Gets the token to be exchanged.
pub(super) async fn subject_token(
    http: &Http,
    origin: &str,
    external: &External,
    node: &Node,
) -> Result<Redacted, Error> {
    match &external.source {
        Source::File { path, field } => from_file(origin, path, field.as_deref()),
        Source::Url {
            url,
            headers,
            field,
        } => from_url(http, origin, url, headers, field.as_deref()).await,
        Source::Pod { token } => Ok(token.clone()),
        Source::Aws { verification_url } => {
            aws::subject_token(origin, verification_url, &external.audience, node).await
        }
    }
}

pub(super) fn from_file(origin: &str, path: &Path, field: Option<&str>) -> Result<Redacted, Error> {
    let origin = origin.to_owned();
    let Some(bytes) = read(path, MAX_TOKEN)? else {
        let path = path.to_owned();
        return Err(GcpError::NoTokenFile { origin, path }.into());
    };
    pick(&bytes, field).ok_or_else(|| {
        let place = path.display().to_string();
        GcpError::SubjectFormat { place, origin }.into()
    })
}

async fn from_url(
    http: &Http,
    origin: &str,
    url: &str,
    headers: &[(String, Redacted)],
    field: Option<&str>,
) -> Result<Redacted, Error> {
    let request = headers
        .iter()
        .fold(Request::get(url), |request, (name, value)| {
            request.header(name, value.clone())
        });
    let Answer { host, response } = ask(http, url, &request).await?;
    let (origin, status) = (origin.to_owned(), response.status);
    if !response.is_success() {
        let error = GcpError::NoSubject {
            host,
            status,
            origin,
        };
        return Err(error.into());
    }
    pick(&response.body, field).ok_or_else(|| {
        let place = host;
        GcpError::SubjectFormat { place, origin }.into()
    })
}

/// The token in a text: all of it, or one member of a JSON object.
fn pick(bytes: &[u8], field: Option<&str>) -> Option<Redacted> {
    let token = match field {
        Some(field) => json::parse_object(bytes).ok()?.text(field)?.clone(),
        None => std::str::from_utf8(bytes).ok()?.trim().into(),
    };
    (!token.is_empty()).then_some(token)
}

const MAX_TOKEN: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_token_is_the_whole_text_or_one_member_of_it() {
        let picked =
            |text: &str, field| pick(text.as_bytes(), field).map(|token| token.expose().to_owned());
        assert_eq!(picked("token\n", None), Some("token".to_owned()));
        assert_eq!(
            picked(r#"{"id_token":"token"}"#, Some("id_token")),
            Some("token".to_owned())
        );
        for (text, field) in [
            ("", None),
            ("{}", Some("id_token")),
            ("token", Some("id_token")),
            (r#"{"f":1}"#, Some("f")),
        ] {
            assert_eq!(picked(text, field), None, "{text}");
        }
    }
}
