//! The certificates of the mirror and of its only client, containerd, and the authority that both trust. All are made
//! together; the authority's key is never written, so no further certificate can be issued.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use super::MirrorError;
use crate::error::Error;
use crate::tls::provider;
use crate::trusted::{self, MAX_TEXT, Readers};

/// File names and contents.
pub(crate) type Files = [(&'static str, Zeroizing<String>); 5];

/// Makes an authority, and the certificates that it signs.
pub(crate) fn make() -> Result<Files, MirrorError> {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(MirrorError::Making);
    let mut params = params("beta9 mirror: authority")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = key()?;
    let authority = params
        .self_signed(&authority_key)
        .map_err(MirrorError::Making)?
        .pem();
    let issuer = Issuer::new(params, authority_key);
    let sign = |name, usage, server: bool| {
        let mut params = self::params(name)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        if server {
            params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
        }
        let key = key()?;
        let signed = params.signed_by(&key, &issuer);
        let pem = signed.map_err(MirrorError::Making)?.pem();
        Ok((pem.into(), key.serialize_pem().into()))
    };
    let (server, server_key) = sign("beta9 mirror", ExtendedKeyUsagePurpose::ServerAuth, true)?;
    let (client, client_key) = sign("containerd", ExtendedKeyUsagePurpose::ClientAuth, false)?;
    let [
        ca_name,
        server_name,
        server_key_name,
        client_name,
        client_key_name,
    ] = FILES;
    Ok([
        (ca_name, authority.into()),
        (server_name, server),
        (server_key_name, server_key),
        (client_name, client),
        (client_key_name, client_key),
    ])
}

fn params(name: &str) -> Result<CertificateParams, MirrorError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(MirrorError::Making)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + now.unwrap_or_default();
    // Valid from a day earlier, in case the clock is set back a little.
    params.not_before = now - DAY;
    params.not_after = now + LIFE;
    Ok(params)
}

/// The server's TLS configuration: only TLS 1.3, and only for clients with a certificate of the same authority.
pub(crate) fn server(dir: &Path) -> Result<Arc<ServerConfig>, Error> {
    let [authority, certificate, key, ..] = FILES;
    let pem = |name: &str, readers| -> Result<_, Error> {
        let path = dir.join(name);
        let pem = trusted::read(&path, readers, MAX_TEXT).map_err(|fault| fault.problem(PART))?;
        Ok(pem.ok_or_else(|| MirrorError::NoCertificate(path.display().to_string()))?)
    };
    let bad = |name: &str| MirrorError::Certificate(dir.join(name).display().to_string());
    let verifier = verifier(&pem(authority, Readers::Anybody)?).ok_or_else(|| bad(authority))?;
    let chain = CertificateDer::pem_slice_iter(&pem(certificate, Readers::Anybody)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| bad(certificate))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem(key, Readers::Owner)?);
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| bad(certificate))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, secret.map_err(|_| bad(key))?);
    let mut config = config.map_err(|_| bad(certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whether all files exist, can be read, and stay valid for some time.
pub(crate) fn is_good(dir: &Path) -> bool {
    let [authority, _, _, client, client_key] = FILES;
    let text = |name: &str, readers| trusted::read(&dir.join(name), readers, MAX_TEXT).ok()?;
    let is_client = || {
        let verifier = verifier(&text(authority, Readers::Anybody)?)?;
        let client = CertificateDer::from_pem_slice(&text(client, Readers::Anybody)?).ok()?;
        PrivateKeyDer::from_pem_slice(&text(client_key, Readers::Owner)?).ok()?;
        let then =
            UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) + SOON);
        verifier.verify_client_cert(&client, &[], then).ok()
    };
    server(dir).is_ok() && is_client().is_some()
}

fn verifier(authority: &[u8]) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority).ok()?)
        .ok()?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    builder.build().ok()
}

/// The authority, the server's certificate and key, and the client's.
pub(crate) const FILES: [&str; 5] = [
    "ca.crt",
    "server.crt",
    "server.key",
    "client.crt",
    "client.key",
];
const PART: &str = "mirror";
const DAY: Duration = Duration::from_hours(24);
/// Long, because nothing renews them automatically and only root can use them.
const LIFE: Duration = Duration::from_hours(24 * 3650);
/// Certificates that expire sooner than this are replaced.
const SOON: Duration = Duration::from_hours(24 * 90);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_made_is_good_together_and_not_with_what_is_made_another_time() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let write = |(name, text): &(&str, Zeroizing<String>)| {
            fs::write(dir.join(name), text.as_bytes()).unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        assert!(!is_good(dir));
        make().unwrap().iter().for_each(write);
        assert!(is_good(dir));
        // The authority's key is not among the files.
        assert_eq!(fs::read_dir(dir).unwrap().count(), FILES.len());
        let [.., other, _] = make().unwrap();
        write(&other);
        assert!(!is_good(dir), "the client is of another authority");
    }
}
