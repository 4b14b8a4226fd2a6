//! The worker store over TLS, with the one port that means TLS: 443, in a network namespace of the test's own, so that
//! nothing on the machine is in the way and no privilege over it is needed. Where no namespace can be made the test says
//! that it was skipped; `STRICT=1` makes that a failure.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::Node;
use common::worker::{Gateway, SECRET, WORKSPACE};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[test]
fn port_443_speaks_tls_and_trusts_nobody_else() {
    if is_alone() {
        return over_tls();
    }
    let program = std::env::current_exe().unwrap();
    let itself =
        "ip link set lo up && exec \"$0\" --exact port_443_speaks_tls_and_trusts_nobody_else";
    for unshare in ["-n", "-rn"] {
        let can = Command::new("unshare")
            .args([unshare, "ip", "link", "set", "lo", "up"])
            .output();
        if can.is_ok_and(|output| output.status.success()) {
            let inside = Command::new("unshare")
                .args([unshare, "sh", "-c", itself])
                .arg(&program)
                .output()
                .unwrap();
            assert!(
                inside.status.success(),
                "{}",
                String::from_utf8_lossy(&inside.stdout)
            );
            return;
        }
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "how strict the tests are is no setting of the helper's"
    )]
    let strict = std::env::var("STRICT").is_ok_and(|strict| strict == "1");
    assert!(
        !strict,
        "no network namespace can be made here, so TLS on port 443 cannot be tested"
    );
    println!("SKIPPED: no network namespace can be made here, so TLS on port 443 is not tested");
}

/// Whether this network has a loopback and nothing else.
fn is_alone() -> bool {
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    devices
        .lines()
        .skip(2)
        .all(|line| line.trim_start().starts_with("lo:"))
}

fn over_tls() {
    let scratch = tempfile::tempdir().unwrap();
    let authority = Authority::make(scratch.path(), "true");
    let stranger = Authority::make(scratch.path(), "strange");
    let gateway = Gateway::at("127.0.0.1:443", Some(authority.acceptor("127.0.0.1")));
    gateway.plant(WORKSPACE, "image-1", "octo:hunter2");
    let node = gateway.node().with("BETA9_IMAGE", "ghcr.io/org/app");
    let node = node.with("SSL_CERT_FILE", authority.certificate.to_str().unwrap());
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
    assert_eq!(gateway.count(), (1, 1));

    // Nobody is asked, and nobody is shown the token, who is not certainly the gateway.
    let _plain = Gateway::at("127.0.0.2:443", None);
    let hasty = TcpListener::bind("127.0.0.3:443").unwrap();
    std::thread::spawn(move || {
        for stream in hasty.incoming() {
            // What the client has said is read, so that the end is an end and not a reset.
            _ = stream.unwrap().read(&mut [0; 4096]);
        }
    });
    for (address, certificates, words) in [
        (
            "127.0.0.1:443",
            &stranger.certificate,
            "is signed by nobody that this system trusts",
        ),
        (
            "localhost:443",
            &authority.certificate,
            "the certificate of localhost:443 is for another name",
        ),
        (
            "127.0.0.2:443",
            &authority.certificate,
            "the TLS handshake with 127.0.0.2:443 failed",
        ),
        (
            "127.0.0.3:443",
            &authority.certificate,
            "127.0.0.3:443 closed the connection without an answer",
        ),
        (
            "127.0.0.4:443",
            &authority.certificate,
            "127.0.0.4:443 refused the connection",
        ),
    ] {
        let node = gateway
            .wire(Node::new())
            .with("BETA9_WORKER_ADDRESS", address);
        let answer = node
            .with("SSL_CERT_FILE", certificates.to_str().unwrap())
            .get("ghcr.io");
        let line = answer.failure();
        assert!(line.contains(words) && !line.contains(SECRET), "{line}");
    }
    let nowhere = scratch.path().join("nowhere");
    let node = gateway
        .wire(Node::new())
        .with("BETA9_WORKER_ADDRESS", "127.0.0.1:443");
    let node = node
        .with("SSL_CERT_FILE", nowhere.to_str().unwrap())
        .with("SSL_CERT_DIR", nowhere.to_str().unwrap());
    assert!(
        node.get("ghcr.io")
            .failure()
            .contains("the system's certificate authorities cannot be read")
    );
    // On another port TLS is not spoken, anyone who is there.
    let elsewhere = Gateway::at("127.0.0.1:1993", Some(authority.acceptor("127.0.0.1")));
    let answer = elsewhere.node().get("ghcr.io");
    assert!(
        answer
            .failure()
            .contains("whether it is the gateway's gRPC address (1993, or 443 with TLS)"),
        "{answer:?}"
    );
    assert_eq!((gateway.count().0, elsewhere.count().0), (0, 0));
}

/// A certificate authority for an hour.
struct Authority {
    name: String,
    dir: PathBuf,
    certificate: PathBuf,
}

impl Authority {
    fn make(dir: &Path, name: &str) -> Self {
        let authority = Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
            certificate: dir.join(format!("{name}.pem")),
        };
        authority.issue(name, &["-addext", "basicConstraints=critical,CA:TRUE"]);
        authority
    }

    fn acceptor(&self, address: &str) -> TlsAcceptor {
        let name = format!("{}-{address}", self.name);
        let alternative = format!("subjectAltName=IP:{address}");
        let (certificate, key) = (self.path(&self.name, "pem"), self.path(&self.name, "key"));
        let signed = [
            "-CA",
            &certificate,
            "-CAkey",
            &key,
            "-addext",
            "basicConstraints=CA:FALSE",
        ];
        self.issue(
            &name,
            &[signed.as_slice(), &["-addext", &alternative]].concat(),
        );
        let chain = vec![CertificateDer::from_pem_file(self.path(&name, "pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path(&name, "key")).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config).into()
    }

    fn issue(&self, name: &str, more: &[&str]) {
        let subject = format!("/CN={name}");
        let (certificate, key) = (self.path(name, "pem"), self.path(name, "key"));
        let arguments = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ];
        let places = [
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-subj",
            &subject,
            "-days",
            "1",
        ];
        let output = Command::new("openssl")
            .args(arguments)
            .args(places)
            .args(more)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn path(&self, name: &str, extension: &str) -> String {
        self.dir
            .join(format!("{name}.{extension}"))
            .to_str()
            .unwrap()
            .to_owned()
    }
}
