//! Default trust anchors for TLS, and the one way in which this program speaks it.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` name the authorities, as for every program that uses OpenSSL
//! (<https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>). Else they are read from the bundle that the
//! system keeps: one file. The directory beside it holds the same ones in some three hundred files, and is read only
//! where there is no bundle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config;
use crate::trusted::{self, Fault, Reader, Readers};

/// There is nobody to trust: no authority's certificate could be read.
#[derive(Debug, Default)]
pub struct NoAuthorities {
    /// What was named and is not used, where that is why.
    pub refused: Option<Fault>,
}

impl From<Fault> for NoAuthorities {
    fn from(fault: Fault) -> Self {
        Self { refused: Some(fault) }
    }
}

/// The authorities' certificates, as they lie there.
pub fn certificates() -> Result<Vec<CertificateDer<'static>>, NoAuthorities> {
    let mut found = Vec::new();
    if let Some((file, dirs)) = config::named_authorities() {
        for file in file.into_iter().chain(dirs.iter().flat_map(|dir| files(dir))) {
            found.extend(in_file(&file, trusted::read)?);
        }
    } else {
        // What is refused there is not trusted, and the rest is.
        let system = openssl_probe::probe();
        let read = |file: PathBuf| in_file(&file, trusted::read_system).unwrap_or_default();
        found.extend(system.cert_file.into_iter().flat_map(read));
        if found.is_empty() {
            found.extend(system.cert_dir.iter().flat_map(|dir| files(dir)).flat_map(read));
        }
    }
    if found.is_empty() { Err(NoAuthorities::default()) } else { Ok(found) }
}

/// What is wrong with the authorities that the environment names, where they are not used.
#[must_use]
pub fn refused() -> Option<Fault> {
    config::named_authorities()?;
    certificates().err()?.refused
}

fn in_file(file: &Path, read: Reader) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = bundle_text(file, read)?.unwrap_or_default();
    Ok(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect())
}

/// The files of a directory, or none where it cannot be read.
fn files(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| !path.is_dir())
}

/// A file of certificates, as it lies there; `None` where it does not exist.
pub fn bundle_text(file: &Path, read: Reader) -> Result<Option<Vec<u8>>, Fault> {
    Ok(read(file, Readers::Anybody, MAX_BUNDLE)?.map(|mut bytes| std::mem::take(&mut *bytes)))
}

/// The system's bundle, where nobody names other authorities.
#[must_use]
pub fn bundle() -> Option<PathBuf> {
    if config::named_authorities().is_some() { None } else { openssl_probe::probe().cert_file }
}

/// The authorities. What is no certificate is passed over: one bad line in the system's list is no reason to trust nobody.
pub fn roots() -> Result<RootCertStore, NoAuthorities> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates()?);
    if roots.is_empty() { Err(NoAuthorities::default()) } else { Ok(roots) }
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

/// A system's whole list is a fifth of a megabyte.
const MAX_BUNDLE: u64 = 16 << 20;
