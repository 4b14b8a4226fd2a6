//! What a JSON Web Token (<https://www.rfc-editor.org/rfc/rfc7519>) says of itself. Signatures are not checked: whoever
//! takes a token does that, with its issuer's keys, and here nothing hangs on the claims but whose it is and when it ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::credential::Redacted;
use crate::json::{self, Object};

/// The claims of a signed token; `None` of anything else.
pub(crate) fn claims(token: &Redacted) -> Option<Object> {
    let mut parts = token.expose().split('.');
    let (_, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if signature.is_empty() || parts.next().is_some() {
        return None;
    }
    // Some issuers fill up to whole groups, which the RFC forbids.
    json::parse_object(&Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?)).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token that says this of itself, signed by nobody.
    pub(crate) fn token(claims: &str) -> Redacted {
        format!("e30.{}.hunter2", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    fn subject(token: &str) -> Option<String> {
        Some(claims(&token.to_owned().into())?.text("sub")?.expose().to_owned())
    }

    #[test]
    fn the_claims_are_those_of_a_token_of_three_parts() {
        let of = |claims: &str| URL_SAFE_NO_PAD.encode(claims);
        let alice = of(r#"{"sub":"alice"}"#);
        assert_eq!(subject(&format!("e30.{alice}.c2ln")).as_deref(), Some("alice"));
        assert_eq!(subject(&format!("e30.{alice}==.c2ln")).as_deref(), Some("alice"));
        for (token, why) in [
            (format!("e30.{alice}"), "unsigned"),
            (format!("e30.{alice}."), "with an empty signature"),
            (format!("e30.{alice}.c2ln.more"), "of four parts"),
            (alice, "of one part"),
            (format!("e30.{}.c2ln", of("[]")), "whose claims are no object"),
            ("e30.%%%.c2ln".to_owned(), "that is not base64"),
            (String::new(), "of nothing"),
        ] {
            assert_eq!(subject(&token), None, "a token {why}");
        }
    }
}
