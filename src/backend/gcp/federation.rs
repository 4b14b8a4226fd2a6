//! Subject tokens of workload identity federation: the other identity provider's token for this node
//! (<https://google.aip.dev/auth/4117>), from a source that the operator configured.

use std::path::Path;

use super::ambient::read;
use super::answer::{Answer, Asker};
use super::aws;
use super::document::{External, Source};
use super::errors::GcpError;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::Request;
use crate::json;

/// Gets the token to be exchanged.
pub(super) async fn subject_token(
    asker: Asker<'_>,
    external: &External,
) -> Result<Redacted, Error> {
    let Asker { origin, node, .. } = asker;
    match &external.source {
        Source::File { path, field } => from_file(origin, path, field.as_deref()),
        Source::Url {
            url,
            headers,
            field,
        } => from_url(asker, url, headers, field.as_deref()).await,
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
    let place = path.display().to_string();
    Ok(pick(&bytes, field).ok_or(GcpError::SubjectFormat { place, origin })?)
}

async fn from_url(
    asker: Asker<'_>,
    url: &str,
    headers: &[(String, Redacted)],
    field: Option<&str>,
) -> Result<Redacted, Error> {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(name, value.clone());
    }
    let Answer { host, response } = asker.ask(&request).await?;
    let (origin, status) = (asker.origin.to_owned(), response.status);
    if !response.is_success() {
        return Err(GcpError::NoSubject {
            host,
            status,
            origin,
        }
        .into());
    }
    let place = host;
    Ok(pick(&response.body, field).ok_or(GcpError::SubjectFormat { place, origin })?)
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
