//! A throw-away authority and what it signs, made with openssl.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use beta9_credential::config::Env;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A throw-away authority and a server with a certificate of it for these names; answers the authority's file.
pub fn server(dir: &Path, names: &str) -> (PathBuf, Arc<rustls::ServerConfig>) {
    let authority = make(dir, names);
    let config = serve(dir, None);
    (authority, config)
}

/// The same server, of which every client must show a certificate of the authority; that is `client.cert` and `client.key`.
pub fn server_of_known_clients(dir: &Path, names: &str) -> (PathBuf, Arc<rustls::ServerConfig>) {
    let authority = make(dir, names);
    openssl(
        dir,
        &format!("req {KEY} -keyout client.key -out client.csr -subj /CN=octo"),
    );
    openssl(
        dir,
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out client.cert",
    );
    let config = serve(dir, Some(&authority));
    (authority, config)
}

fn serve(dir: &Path, clients: Option<&Path>) -> Arc<rustls::ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(dir.join("server.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(
                CertificateDer::pem_file_iter(authority)
                    .unwrap()
                    .map(Result::unwrap),
            );
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            config.with_client_cert_verifier(
                rustls::server::WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    provider,
                )
                .build()
                .unwrap(),
            )
        }
    };
    Arc::new(config.with_single_cert(certificates, key).unwrap())
}

fn make(dir: &Path, names: &str) -> PathBuf {
    openssl(
        dir,
        &format!(
            "req -x509 {KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN={}",
            dir.file_name().unwrap().display()
        ),
    );
    openssl(
        dir,
        &format!("req {KEY} -keyout server.key -out server.csr -subj /CN=gateway"),
    );
    std::fs::write(dir.join("names"), format!("subjectAltName={names}\n")).unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    dir.join("ca.pem")
}

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// Whether a certificate can be made; where a skip is not allowed, it must be.
#[expect(clippy::print_stdout, reason = "a skip is told")]
pub fn can_be_made() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    assert!(
        there || Env::process().text("STRICT").unwrap().as_deref() != Some("1"),
        "openssl is needed"
    );
    if !there {
        println!("skip: openssl is not installed");
    }
    there
}
