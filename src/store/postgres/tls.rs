//! TLS for the database: rustls, with the three levels of trust of `sslmode`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PART;
use super::errors::PostgresError;
use super::sslmode::Trust;
use crate::error::Error;
use crate::tls;
use crate::trusted;

/// Makes the TLS connector.
pub(super) fn connector(trust: &Trust) -> Result<MakeRustlsConnect, Error> {
    match trust {
        Trust::Anybody => lenient(None),
        Trust::Signed(file) => {
            let roots = roots(file)?.into();
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, tls::provider());
            let verifier = verifier.build();
            lenient(Some(verifier.map_err(|_| {
                unreadable(file, "no authority in it can be used")
            })?))
        }
        Trust::Named(Some(file)) => named(roots(file)?),
        Trust::Named(None) => named(tls::roots().map_err(|nobody| match nobody.refused {
            Some(fault) => fault.problem(PART),
            None => PostgresError::NoAuthorities.into(),
        })?),
    }
}

fn named(roots: RootCertStore) -> Result<MakeRustlsConnect, Error> {
    let config = tls::client(roots, &[]).map_err(PostgresError::TlsUnavailable)?;
    Ok(MakeRustlsConnect::new(config))
}

fn lenient(chain: Option<Arc<WebPkiServerVerifier>>) -> Result<MakeRustlsConnect, Error> {
    let provider = tls::provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(PostgresError::TlsUnavailable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Lenient { provider, chain }));
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn roots(file: &Path) -> Result<RootCertStore, Error> {
    let pem = tls::bundle_text(file, trusted::read).map_err(|fault| fault.problem(PART))?;
    let pem = pem.ok_or_else(|| unreadable(file, "it does not exist"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        Err(unreadable(file, "it holds no certificate in PEM").into())
    } else {
        Ok(roots)
    }
}

fn unreadable(file: &Path, why: &'static str) -> PostgresError {
    PostgresError::RootCertificate {
        file: file.to_owned(),
        why,
    }
}

/// libpq's verification below `verify-full`: the name is ignored and, without authorities, so is the issuer. The server
/// must always prove that it has the certificate's key, because channel binding relies on it.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked last, so everything else is valid.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
