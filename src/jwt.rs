//! JSON Web Tokens (<https://www.rfc-editor.org/rfc/rfc7519>): reading a token's claims, and signing our own.
//! Signatures are not checked: the service that accepts a token does that with the issuer's keys. Here, claims only say
//! whose a token is and when it expires.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RsaEncoding, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::credential::Redacted;
use crate::json::{self, Loose, Value};

/// The claims that `T` asks for; `None` if the text isn't a signed token.
pub(crate) fn claims<T: DeserializeOwned>(token: &Redacted) -> Option<T> {
    let mut parts = token.expose().split('.');
    let (_, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if signature.is_empty() || parts.next().is_some() {
        return None;
    }
    // Some issuers add padding, which the RFC forbids.
    json::object(&Zeroizing::new(
        URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?,
    ))
    .ok()
}

/// A token's subject, issuer and audiences.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) issuer: String,
    pub(crate) name: String,
    pub(crate) audiences: Vec<String>,
}

impl Subject {
    /// `None` if one of them is missing.
    pub(crate) fn of(token: &Redacted) -> Option<Self> {
        let claims: Claims = claims(token)?;
        let text = |claim: Loose<String>| claim.take().filter(|text| !text.is_empty());
        Some(Self {
            issuer: text(claims.iss)?,
            name: text(claims.sub)?,
            audiences: claims.aud.0,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: Loose<String>,
    sub: Loose<String>,
    aud: Audiences,
}

/// One string, or a list of strings.
#[derive(Default, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Audiences(pub(crate) Vec<String>);

impl From<Value> for Audiences {
    fn from(value: Value) -> Self {
        let all = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let texts = all.into_iter().map(String::deserialize);
        Self(texts.filter_map(Result::ok).collect())
    }
}

/// Signs a token with this header and these claims; `None` if the key can't sign.
pub(crate) fn signed(
    header: &serde_json::Value,
    claims: &serde_json::Value,
    key: &RsaKeyPair,
    how: &'static dyn RsaEncoding,
) -> Option<Redacted> {
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(how, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .ok()?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Some(token.into())
}

/// Reads an unencrypted PKCS #8 or PKCS #1 key from a PEM text.
pub(crate) fn rsa_key(pem: &str) -> Option<RsaKeyPair> {
    match pem_block(pem, "PRIVATE KEY") {
        Some(der) => RsaKeyPair::from_pkcs8(&der).ok(),
        None => RsaKeyPair::from_der(&pem_block(pem, "RSA PRIVATE KEY")?).ok(),
    }
}

/// The bytes of the first block with this label. Some tools turn line ends into the two characters `\n`, which are
/// accepted too.
pub(crate) fn pem_block(pem: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let text = Zeroizing::new(body.replace("\\n", "\n"));
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    STANDARD.decode(compact.as_slice()).ok().map(Zeroizing::new)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An unsigned token with these claims.
    pub(crate) fn token(claims: &str) -> Redacted {
        format!("e30.{}.hunter2", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    fn subject(token: &str) -> Option<String> {
        claims::<Claims>(&token.to_owned().into())?.sub.take()
    }

    #[test]
    fn the_claims_are_those_of_a_token_of_three_parts() {
        let of = |claims: &str| URL_SAFE_NO_PAD.encode(claims);
        let alice = of(r#"{"sub":"alice"}"#);
        assert_eq!(
            subject(&format!("e30.{alice}.c2ln")).as_deref(),
            Some("alice")
        );
        assert_eq!(
            subject(&format!("e30.{alice}==.c2ln")).as_deref(),
            Some("alice")
        );
        for (token, why) in [
            (format!("e30.{alice}"), "unsigned"),
            (format!("e30.{alice}."), "with an empty signature"),
            (format!("e30.{alice}.c2ln.more"), "of four parts"),
            (alice, "of one part"),
            (
                format!("e30.{}.c2ln", of("[]")),
                "whose claims aren't an object",
            ),
            ("e30.%%%.c2ln".to_owned(), "that is not base64"),
            (String::new(), "of nothing"),
        ] {
            assert_eq!(subject(&token), None, "a token {why}");
        }
    }

    #[test]
    fn a_key_is_read_from_pem_of_either_kind() {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        use aws_lc_rs::rsa::{KeyPair, KeySize};
        let der: Pkcs8V1Der = KeyPair::generate(KeySize::Rsa2048)
            .unwrap()
            .as_der()
            .unwrap();
        // For a key of this size, PKCS #8 is PKCS #1 after a header of 26 bytes.
        let block = |label: &str, der: &[u8]| {
            format!(
                "x\n-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                STANDARD.encode(der)
            )
        };
        assert!(rsa_key(&block("PRIVATE KEY", der.as_ref())).is_some());
        assert!(rsa_key(&block("RSA PRIVATE KEY", &der.as_ref()[26..])).is_some());
        for wrong in [
            block("ENCRYPTED PRIVATE KEY", der.as_ref()),
            block("PRIVATE KEY", b"x"),
            "x".to_owned(),
        ] {
            assert!(rsa_key(&wrong).is_none());
        }
    }
}
