//! Default trust anchors for TLS, and the one way in which this program speaks it.
//!
//! As with OpenSSL (<https://docs.openssl.org/3.5/man3/SSL_CTX_load_verify_locations/>) and Go, `SSL_CERT_FILE` takes the
//! place of the system's bundle, and `SSL_CERT_DIR` that of its directories; where one of them is set, the system's other
//! one is still read. Where neither is, the bundle is enough: the directories hold the same certificates in some three
//! hundred files, and are read only where there is no bundle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_certs_from_paths;

use crate::config::Authorities;

/// There is nobody to trust: no authority's certificate could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAuthorities;

/// The authorities' certificates, as they lie there.
pub fn certificates() -> Result<Vec<CertificateDer<'static>>, NoAuthorities> {
    let mut found = bundle().map_or_else(Vec::new, |bundle| load(Some(&bundle), &[]));
    if found.is_empty() {
        let Authorities { bundle, dirs } = beside(Authorities::named(), system_bundle, system_dirs);
        found = load(bundle.as_deref(), &dirs);
    }
    if found.is_empty() { Err(NoAuthorities) } else { Ok(found) }
}

/// The system's bundle, where nobody names other authorities.
#[must_use]
pub fn bundle() -> Option<PathBuf> {
    if Authorities::named().is_empty() { system_bundle() } else { None }
}

/// What is named, and the system's other one beside it.
fn beside(
    named: Authorities,
    system_bundle: impl FnOnce() -> Option<PathBuf>,
    system_dirs: impl FnOnce() -> Vec<PathBuf>,
) -> Authorities {
    Authorities {
        bundle: named.bundle.or_else(system_bundle),
        dirs: if named.dirs.is_empty() { system_dirs() } else { named.dirs },
    }
}

fn system_bundle() -> Option<PathBuf> {
    openssl_probe::probe().cert_file
}

fn system_dirs() -> Vec<PathBuf> {
    openssl_probe::candidate_cert_dirs().map(PathBuf::from).collect()
}

/// What can be read of these.
fn load(bundle: Option<&Path>, dirs: &[PathBuf]) -> Vec<CertificateDer<'static>> {
    let mut certificates = load_certs_from_paths(bundle, None).certs;
    certificates.extend(dirs.iter().flat_map(|dir| load_certs_from_paths(None, Some(dir)).certs));
    certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    certificates
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_takes_the_place_of_its_like_and_leaves_the_systems_other_one() {
        let path = |name: &&str| PathBuf::from(*name);
        let table: &[(Option<&str>, &[&str], &str, &[&str])] = &[
            (None, &[], "/system.pem", &["/system"]),
            (Some("/mine.pem"), &[], "/mine.pem", &["/system"]),
            (None, &["/mine", "/more"], "/system.pem", &["/mine", "/more"]),
            (Some("/mine.pem"), &["/mine"], "/mine.pem", &["/mine"]),
        ];
        for (bundle, dirs, read_bundle, read_dirs) in table {
            let named = Authorities { bundle: bundle.as_ref().map(path), dirs: dirs.iter().map(path).collect() };
            let read = beside(named, || Some("/system.pem".into()), || vec!["/system".into()]);
            assert_eq!(read.bundle, Some(PathBuf::from(read_bundle)), "{bundle:?} {dirs:?}");
            assert_eq!(read.dirs, read_dirs.iter().map(path).collect::<Vec<_>>(), "{bundle:?} {dirs:?}");
        }
    }
}
