//! The trust anchors for TLS: the system's authorities, or those in `AWS_CA_BUNDLE`, which replaces them as in every
//! AWS tool (<https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html>).

use std::path::Path;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Code, Error, Fault, Meaning};
use crate::tls;
use crate::trusted::{self, Reader};

/// The authorities in the `AWS_CA_BUNDLE` file.
pub(super) fn given(bundle: &str) -> Result<TlsContext, Error> {
    let store = TrustStore::empty().with_pem_certificate(read(bundle, trusted::read)?);
    let built = TlsContext::builder().with_trust_store(store).build();
    Ok(built.map_err(|error| BundleError::Refused(error.into()))?)
}

/// The authorities in `SSL_CERT_FILE`, `SSL_CERT_DIR` or the system's places. Without any, TLS fails when it is used.
pub(super) fn system() -> TlsContext {
    // The whole bundle if all of it can be parsed; otherwise the parsable part.
    let whole = tls::bundle().and_then(|file| read(file, trusted::read_system).ok());
    // The default would make the SDK search for authorities itself.
    let store = TrustStore::empty();
    let store = match whole.or_else(parsable) {
        Some(pem) => store.with_pem_certificate(pem),
        None => store,
    };
    TlsContext::builder()
        .with_trust_store(store)
        .build()
        .unwrap_or_default()
}

/// The system's valid certificates. The SDK's client panics on others.
fn parsable() -> Option<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    let mut certificates = tls::certificates().unwrap_or_default();
    certificates.retain(|certificate| roots.add(certificate.clone()).is_ok());
    (!certificates.is_empty()).then(|| {
        certificates
            .iter()
            .flat_map(|certificate| pem(certificate))
            .collect()
    })
}

/// Converts to PEM, the only form that the SDK accepts (<https://www.rfc-editor.org/rfc/rfc7468#section-5>).
fn pem(certificate: &[u8]) -> Vec<u8> {
    let mut pem = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    pem.extend_from_slice(BASE64_STANDARD.encode(certificate).as_bytes());
    pem.extend_from_slice(b"\n-----END CERTIFICATE-----\n");
    pem
}

/// Reads and parses a bundle. The SDK's client would panic on an invalid one.
fn read(path: impl AsRef<Path>, reader: Reader) -> Result<Vec<u8>, Error> {
    let pem =
        tls::bundle_text(path.as_ref(), reader).map_err(|fault| fault.problem("AWS_CA_BUNDLE"))?;
    let pem = pem.ok_or(BundleError::Unfit("cannot be read: it does not exist"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .ok()
            .and_then(|certificate| roots.add(certificate).ok());
        added.ok_or(BundleError::Unfit(
            "holds something that isn't a certificate",
        ))?;
    }
    if roots.is_empty() {
        return Err(BundleError::Unfit("holds no certificate").into());
    }
    Ok(pem)
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error("the file it names {0}")]
    Unfit(&'static str),
    #[error("the file it names cannot be used")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Fault for BundleError {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::ConfigUnreadable, "AWS_CA_BUNDLE")
            .fix("name a file of PEM certificates, or unset it")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_bundle_that_cannot_be_used_is_an_error_and_no_panic() {
        let table = [
            ("", "holds no certificate"),
            ("hunter2", "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
                "isn't a certificate",
            ),
            (
                "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                "isn't a certificate",
            ),
        ];
        for (text, expected) in table {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let error = given(file.path().to_str().unwrap())
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("AWS_CA_BUNDLE: ") && error.contains(expected),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(
            given("/nowhere")
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }
}
