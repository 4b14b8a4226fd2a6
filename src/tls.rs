//! Default trust anchors for TLS, and the one way in which this program speaks it.
//!
//! As with OpenSSL (<https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>) and Go, `SSL_CERT_FILE` takes the
//! place of the system's bundle, and `SSL_CERT_DIR` that of its directories; where one of them is set, the system's other
//! one is still read. Where neither is, the bundle is enough: the directories hold the same certificates in some three
//! hundred files, and are read only where there is no bundle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};

use crate::config::Authorities;
use crate::trusted::{self, FileError, Reader, Readers};

/// There is nobody to trust: no authority's certificate could be read.
#[derive(Debug, Default)]
pub struct NoAuthorities {
    /// What was named and is not used, where that is why.
    pub refused: Option<FileError>,
}

impl From<FileError> for NoAuthorities {
    fn from(fault: FileError) -> Self {
        Self {
            refused: Some(fault),
        }
    }
}

/// The authorities' certificates, as they lie there.
pub fn certificates() -> Result<Vec<CertificateDer<'static>>, NoAuthorities> {
    let named = Authorities::named();
    // What is refused of the system's is not trusted, and the rest is; what is named and refused stops everything.
    let system = |file: PathBuf| in_file(&file, trusted::read_system).unwrap_or_default();
    let mut found = match &named.bundle {
        Some(file) => in_file(file, trusted::read)?,
        None => system_bundle().map_or_else(Vec::new, system),
    };
    for file in named.dirs.iter().flat_map(|dir| files(dir)) {
        found.extend(in_file(&file, trusted::read)?);
    }
    if named.dirs.is_empty() && (named.bundle.is_some() || found.is_empty()) {
        found.extend(
            openssl_probe::candidate_cert_dirs()
                .flat_map(files)
                .flat_map(system),
        );
    }
    if found.is_empty() {
        Err(NoAuthorities::default())
    } else {
        Ok(found)
    }
}

/// What is wrong with the authorities that the environment names, where they are not used.
pub fn refused() -> Option<FileError> {
    if Authorities::named().is_empty() {
        None
    } else {
        certificates().err()?.refused
    }
}

fn in_file(file: &Path, read: Reader) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let pem = bundle_text(file, read)?.unwrap_or_default();
    Ok(CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        .collect())
}

/// The files of a directory, or none where it cannot be read.
fn files(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
}

/// A file of certificates, as it lies there; `None` where it does not exist.
pub fn bundle_text(file: &Path, read: Reader) -> Result<Option<Vec<u8>>, FileError> {
    Ok(read(file, Readers::Anybody, MAX_BUNDLE)?.map(|mut bytes| std::mem::take(&mut *bytes)))
}

/// The system's bundle, where nobody names other authorities.
pub fn bundle() -> Option<PathBuf> {
    if Authorities::named().is_empty() {
        system_bundle()
    } else {
        None
    }
}

fn system_bundle() -> Option<PathBuf> {
    openssl_probe::probe().cert_file
}

/// The authorities. What isn't a certificate is passed over: one bad line in the system's list is no reason to trust nobody.
pub fn roots() -> Result<RootCertStore, NoAuthorities> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates()?);
    if roots.is_empty() {
        Err(NoAuthorities::default())
    } else {
        Ok(roots)
    }
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

/// What is trusted and shown beside what the system says.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// More authorities.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The client's own certificates.
    pub identities: Vec<Arc<CertifiedKey>>,
}

/// Shows the first certificate that the server's authorities vouch for, as Go does.
impl ResolvesClientCert for Extra {
    fn resolve(
        &self,
        authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // Whose certificate it is stands in it as the server names it: the same bytes.
        let vouched = |identity: &CertifiedKey| {
            let names = |name: &&[u8]| {
                let in_it = |certificate: &CertificateDer| {
                    certificate.windows(name.len()).any(|part| part == *name)
                };
                !name.is_empty() && identity.cert.iter().any(in_it)
            };
            authorities.is_empty() || authorities.iter().any(names)
        };
        let fits = |identity: &&Arc<CertifiedKey>| {
            identity.key.choose_scheme(schemes).is_some() && vouched(identity)
        };
        self.identities.iter().find(fits).cloned()
    }

    fn has_certs(&self) -> bool {
        !self.identities.is_empty()
    }
}

/// The one crypto provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A system's whole list is a fifth of a megabyte.
const MAX_BUNDLE: u64 = 16 << 20;
