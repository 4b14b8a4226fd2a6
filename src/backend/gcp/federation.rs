//! Subject tokens of workload identity federation: what the other identity provider says of this node
//! (<https://google.aip.dev/auth/4117>). The operator has configured where it is.

use std::path::Path;

use super::ambient::read;
use super::answer::ask;
use super::document::{External, Source};
use super::{PART, aws};
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::http::{Http, Request};
use crate::json;

/// The token to be exchanged.
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
    let missing = || {
        Problem::new(
            PART,
            format_args!("{origin}: there is no token file {}", path.display()),
        )
        .fix("mount it, or correct \"credential_source\"")
        .failed()
    };
    let bytes = read(path, MAX_TOKEN)?.ok_or_else(missing)?;
    pick(&bytes, field).ok_or_else(|| unreadable(origin, &path.display().to_string()))
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
    let answer = ask(http, url, &request).await?;
    if !answer.response.is_success() {
        let cause = format!(
            "{} gives no subject token (status {})",
            answer.host, answer.response.status
        );
        return Err(Problem::new(PART, cause)
            .fix(format_args!("see \"credential_source\" in {origin}"))
            .failed());
    }
    pick(&answer.response.body, field).ok_or_else(|| unreadable(origin, &answer.host))
}

/// The token itself: all of the text, or one member of a JSON object.
fn pick(bytes: &[u8], field: Option<&str>) -> Option<Redacted> {
    let token = match field {
        Some(field) => json::parse_object(bytes).ok()?.text(field)?.clone(),
        None => std::str::from_utf8(bytes).ok()?.trim().into(),
    };
    (!token.is_empty()).then_some(token)
}

fn unreadable(origin: &str, place: &str) -> Error {
    Problem::new(
        PART,
        format_args!("what {place} gives holds no subject token in the format that {origin} names"),
    )
    .fix("correct \"format\" in \"credential_source\"")
    .failed()
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
