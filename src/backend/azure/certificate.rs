//! An application's certificate: instead of a secret, the application signs an assertion with its key.
//!
//! `azure_identity` supports only PKCS #12, with OpenSSL; the assertion is a few lines.
//!
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest as hash};
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::authority::App;
use super::errors::AzureError;
use super::read;
use crate::backend::whose::digest;
use crate::credential::Redacted;
use crate::error::Error;
use crate::jwt;

/// A certificate and its key.
pub(super) struct Certificate {
    key: RsaKeyPair,
    /// Identifies the certificate in the application's registration.
    thumbprint: String,
    /// A digest of the file.
    pub(super) digest: String,
}

impl Certificate {
    /// Reads a PEM file with both.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read(path)?;
        let bytes = bytes.ok_or_else(|| AzureError::NoCertificate(path.to_owned()))?;
        Ok(Self::of(&bytes).ok_or_else(|| AzureError::Certificate(path.to_owned()))?)
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let certificate = jwt::pem_block(text, "CERTIFICATE")?;
        let thumbprint = URL_SAFE_NO_PAD.encode(hash(&SHA256, &certificate));
        Some(Self {
            key: jwt::rsa_key(text)?,
            thumbprint,
            digest: digest(bytes),
        })
    }

    /// A signed assertion, valid for `LIFE`; `id` must be unique.
    pub(super) fn assertion(&self, app: &App, id: &str) -> Option<Redacted> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let audience = format!("{}/{}/oauth2/v2.0/token", app.authority(), app.tenant);
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience, "exp": now + LIFE, "iat": now, "iss": app.client_id, "jti": id,
            "nbf": now.saturating_sub(LEEWAY), "sub": app.client_id,
        });
        jwt::signed(&header, &claims, &self.key, &RSA_PSS_SHA256)
    }
}

/// In seconds; long enough for a slightly fast clock on the node.
const LIFE: u64 = 300;
const LEEWAY: u64 = 60;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use azure_core::cloud::CloudConfiguration;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::json::Object;

    #[test]
    fn a_statement_is_signed_for_the_authority_and_names_the_certificate() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der = pair.as_der().unwrap();
        let block = |label: &str, der: &[u8]| {
            format!(
                "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                STANDARD.encode(der)
            )
        };
        let (key, certificate) = (
            block("PRIVATE KEY", der.as_ref()),
            block("CERTIFICATE", b"a certificate"),
        );
        let read = Certificate::of((key.clone() + &certificate).as_bytes()).unwrap();
        let app = App {
            tenant: "t".to_owned(),
            client_id: "c".to_owned(),
            cloud: Arc::new(CloudConfiguration::AzureGovernment),
        };
        let assertion = read.assertion(&app, "7").unwrap();
        let (signed, signature) = assertion.expose().rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref())
            .verify(
                signed.as_bytes(),
                &URL_SAFE_NO_PAD.decode(signature).unwrap(),
            )
            .unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(signed.split_once('.').unwrap().0)
            .unwrap();
        let thumbprint = URL_SAFE_NO_PAD.encode(hash(&SHA256, b"a certificate"));
        assert_eq!(
            String::from_utf8(header).unwrap(),
            format!(r#"{{"alg":"PS256","typ":"JWT","x5t#S256":"{thumbprint}"}}"#)
        );
        let claims = jwt::claims::<Object>(&assertion).unwrap();
        let text = |name| claims.text(name).unwrap().expose();
        assert_eq!(
            text("aud"),
            "https://login.microsoftonline.us/t/oauth2/v2.0/token"
        );
        assert_eq!((text("iss"), text("sub"), text("jti")), ("c", "c", "7"));
        for wrong in [
            key,
            certificate,
            block("PRIVATE KEY", b"x") + &block("CERTIFICATE", b"x"),
        ] {
            assert!(Certificate::of(wrong.as_bytes()).is_none());
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_command_that_converts_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("c.pfx");
        let error = |path: &Path| Certificate::read(path).err().unwrap().to_string();
        assert!(error(&path).starts_with(&format!(
            "backend azure: AZURE_CLIENT_CERTIFICATE_PATH names {}, which does not exist;",
            path.display()
        )));
        std::fs::write(&path, b"\x30\x82hunter2").unwrap();
        let text = error(&path);
        assert!(
            text.contains(&format!(
                "openssl pkcs12 -in {0} -nodes -out {0}.pem",
                path.display()
            )),
            "{text}"
        );
        assert!(!text.contains("hunter2"));
    }
}
