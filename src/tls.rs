//! Whom TLS trusts where nobody says otherwise, and the one way in which this program speaks it.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` name the authorities, as for every program that uses OpenSSL
//! (<https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>). Else they are read from the bundle that the
//! system keeps: one file. The directory beside it holds the same ones in some three hundred files, and is read only
//! where there is no bundle.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};

use crate::config;

/// There is nobody to trust: no authority's certificate could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAuthorities;

/// The authorities' certificates, as they lie there.
pub fn certificates() -> Result<Vec<CertificateDer<'static>>, NoAuthorities> {
    let mut found = bundle().map(|file| load_certs_from_paths(Some(&file), None).certs).unwrap_or_default();
    if found.is_empty() {
        found = load_native_certs().certs;
    }
    if found.is_empty() { Err(NoAuthorities) } else { Ok(found) }
}

/// The system's bundle, where nobody names other authorities.
#[must_use]
pub fn bundle() -> Option<PathBuf> {
    if config::names_authorities() { None } else { openssl_probe::probe().cert_file }
}

/// The authorities. What is no certificate is passed over: one bad line in the system's list is no reason to trust nobody.
pub fn roots() -> Result<RootCertStore, NoAuthorities> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates()?);
    if roots.is_empty() { Err(NoAuthorities) } else { Ok(roots) }
}

/// A client that trusts these, and offers the protocols that it is told to offer.
pub fn client(roots: RootCertStore, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// The one crypto provider.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
