//! Default trust anchors for TLS, and the only TLS settings that this program uses.
//!
//! As in OpenSSL (<https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>) and Go, `SSL_CERT_FILE` replaces
//! the system's bundle, and `SSL_CERT_DIR` its directories. If only one is set, the system's other one is still read.
//! If neither is set, the bundle is enough: the directories have the same certificates in about three hundred files,
//! and are read only without a bundle.

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

/// No authority's certificate could be read.
#[derive(Debug, Default)]
pub struct NoAuthorities {
    /// The file that the environment names but that was refused, if that is the reason.
    pub refused: Option<FileError>,
}

impl From<FileError> for NoAuthorities {
    fn from(fault: FileError) -> Self {
        Self {
            refused: Some(fault),
        }
    }
}

/// The authorities' certificates, unverified.
pub fn certificates() -> Result<Vec<CertificateDer<'static>>, NoAuthorities> {
    let named = Authorities::named();
    // A refused file of the system is skipped; a refused file that the environment names is an error.
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

/// Why the authorities that the environment names are not used, if so.
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

/// The files of a directory; none if it cannot be read. Links to other files of the directory are left out, as in Go: by
/// them `openssl rehash` names each file a second time.
fn files(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_second_name = |path: &Path| {
        std::fs::read_link(path).is_ok_and(|target| target.parent() == Some(Path::new("")))
    };
    entries
        .map(|entry| entry.path())
        .filter(move |path| !is_second_name(path) && !path.is_dir())
}

/// The content of a file of certificates; `None` if it does not exist.
pub fn bundle_text(file: &Path, read: Reader) -> Result<Option<Vec<u8>>, FileError> {
    Ok(read(file, Readers::Anybody, MAX_BUNDLE)?.map(|mut bytes| std::mem::take(&mut *bytes)))
}

/// The system's bundle, unless the environment names other authorities.
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

/// The authorities as trust anchors. Invalid certificates are skipped: one bad entry in the system's list must not
/// disable all.
pub fn roots() -> Result<RootCertStore, NoAuthorities> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates()?);
    if roots.is_empty() {
        Err(NoAuthorities::default())
    } else {
        Ok(roots)
    }
}

/// A client configuration with these trust anchors and ALPN protocols.
pub fn client(roots: RootCertStore, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// Certificates in addition to the system's.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// More authorities.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The client's own certificates.
    pub identities: Vec<Arc<CertifiedKey>>,
}

/// Presents the first certificate that one of the server's authorities issued, as Go does.
impl ResolvesClientCert for Extra {
    fn resolve(
        &self,
        authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // The issuer in the certificate and the server's list are compared as bytes.
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

/// In bytes. A system's whole list is about a fifth of a megabyte.
const MAX_BUNDLE: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_second_name_within_the_directory_is_left_out_and_a_link_out_of_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (certs, elsewhere) = (dir.path().join("certs"), dir.path().join("other.pem"));
        std::fs::create_dir(&certs).unwrap();
        std::fs::create_dir(certs.join("below")).unwrap();
        std::fs::write(certs.join("one.pem"), "").unwrap();
        std::fs::write(&elsewhere, "").unwrap();
        symlink("one.pem", certs.join("5ed36f99.0")).unwrap();
        symlink(&elsewhere, certs.join("two.pem")).unwrap();
        symlink("../other.pem", certs.join("three.pem")).unwrap();
        symlink("nowhere.pem", certs.join("four.pem")).unwrap();
        let mut found: Vec<_> = files(&certs).collect();
        found.sort();
        let expected = ["one.pem", "three.pem", "two.pem"].map(|name| certs.join(name));
        assert_eq!(found, expected);
    }
}
