//! `WWW-Authenticate`: how a registry wants clients to log in (RFC 9110, section 11).

use std::iter::Peekable;
use std::str::Chars;

use super::Verdict;
use crate::http::Response;

/// A supported way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user name and a password with each request.
    Basic,
    /// A token of the token server at `realm`.
    Bearer(Bearer),
}

/// The token server and its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) realm: String,
    /// Some registries omit it.
    pub(super) service: Option<String>,
}

impl Challenge {
    /// The first supported challenge in an answer.
    pub(super) fn of(answer: &Response) -> Result<Self, Verdict> {
        Self::first(answer.headers("www-authenticate")).ok_or(Verdict::NoChallenge)
    }

    fn first<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        headers.flat_map(parse).find_map(|(scheme, parameters)| {
            let parameter = |name: &str| {
                let (_, value) = parameters.iter().find(|(known, _)| known == name)?;
                Some(value.clone()).filter(|value| !value.is_empty())
            };
            match scheme.as_str() {
                "basic" => Some(Self::Basic),
                "bearer" => Some(Self::Bearer(Bearer {
                    realm: parameter("realm")?,
                    service: parameter("service"),
                })),
                _ => None,
            }
        })
    }
}

/// Parses schemes, in lower case, with their parameters. Stops at malformed text.
fn parse(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut all: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut chars = header.chars().peekable();
    loop {
        skip(&mut chars, |c| c == ',' || c.is_ascii_whitespace());
        let word = take(&mut chars, |c| {
            !c.is_ascii_whitespace() && !matches!(c, ',' | '=' | '"')
        })
        .to_ascii_lowercase();
        if word.is_empty() {
            return all;
        }
        if chars.next_if_eq(&'=').is_none() {
            all.push((word, Vec::new()));
            continue;
        }
        // IBM's registries omit the quotes, even around URLs.
        let value = if chars.next_if_eq(&'"').is_some() {
            let Some(value) = quoted(&mut chars) else {
                return all;
            };
            value
        } else {
            take(&mut chars, |c| !c.is_ascii_whitespace() && c != ',')
        };
        let Some((_, parameters)) = all.last_mut() else {
            return all;
        };
        parameters.push((word, value));
    }
}

fn quoted(chars: &mut Peekable<Chars>) -> Option<String> {
    let mut value = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

fn take(chars: &mut Peekable<Chars>, belongs: impl Fn(char) -> bool) -> String {
    std::iter::from_fn(|| chars.next_if(|c| belongs(*c))).collect()
}

fn skip(chars: &mut Peekable<Chars>, belongs: impl Fn(char) -> bool) {
    while chars.next_if(|c| belongs(*c)).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        let service = service.map(str::to_owned);
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service,
        })
    }

    #[test]
    fn challenges_are_read_as_registries_in_the_field_write_them() {
        let of = |headers: &[&str]| Challenge::first(headers.iter().copied());
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        assert_eq!(
            of(&[hub]),
            Some(bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io")
            ))
        );
        let ibm = "Bearer realm=https://cp.icr.io/oauth/token, service=registry, scope=repository:cp/x:pull";
        assert_eq!(
            of(&[ibm]),
            Some(bearer("https://cp.icr.io/oauth/token", Some("registry")))
        );
        let nvidia = r#"bearer realm="https://nvcr.io/proxy_auth",scope="""#;
        assert_eq!(
            of(&[nvidia]),
            Some(bearer("https://nvcr.io/proxy_auth", None))
        );
        assert_eq!(of(&[r#"Basic realm="a \"b\", c""#]), Some(Challenge::Basic));
        assert_eq!(of(&["BASIC"]), Some(Challenge::Basic));
        assert_eq!(
            of(&["Negotiate", r#"Digest realm="x", Basic realm="y""#]),
            Some(Challenge::Basic)
        );
        assert_eq!(
            of(&[r#"Digest realm="Basic realm=", Bearer realm="https://r/t""#]),
            Some(bearer("https://r/t", None))
        );
    }

    #[test]
    fn what_is_not_a_challenge_is_not_one() {
        for header in [
            "",
            ",,,",
            "Bearer",
            "Bearer realm",
            "Bearer service=\"s\"",
            "Bearer realm=\"https://r",
            "=\"",
            "\u{e9}",
            "Bearer realm=\"\"",
            "realm=\"x\"",
        ] {
            assert_eq!(Challenge::first([header].into_iter()), None, "{header}");
        }
    }
}
