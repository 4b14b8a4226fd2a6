//! A throw-away authority, made with openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use beta9_credential::config::Env;

/// A throw-away authority and a certificate for 127.0.0.1; answers the authority's file.
pub(super) fn make(dir: &Path) -> PathBuf {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN={}",
        dir.file_name().unwrap().display()
    ));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=gateway"));
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
    dir.join("ca.pem")
}

/// Whether a certificate can be made; where a skip is not allowed, it must be.
#[expect(clippy::print_stdout, reason = "a skip is told")]
pub(super) fn can_be_made() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    assert!(there || Env::process().text("STRICT").unwrap().as_deref() != Some("1"), "openssl is needed");
    if !there {
        println!("skip: openssl is not installed");
    }
    there
}
