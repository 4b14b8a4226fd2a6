//! The pure parts of an answer, each by itself: `cargo bench --bench pure`. No network, and no files except a
//! configuration file.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops where something is not as it should be"
)]

use std::hint::black_box;

use beta9_credential::config::{Config, Env};
use beta9_credential::host::{Host, ImageRef, Pattern, ServerUrl};
use beta9_credential::keys::Blob;
use beta9_credential::registry::Registry;
use beta9_credential::seal::SealKey;
use divan::Bencher;

fn main() {
    divan::main();
}

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// What clients write: a bare host, the old spelling of Docker Hub, and an ECR host with a path.
#[divan::bench(args = ["ghcr.io", "https://index.docker.io/v1/", "https://123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"])]
fn server_url(text: &str) -> ServerUrl {
    ServerUrl::parse(black_box(text.as_bytes())).unwrap()
}

#[divan::bench(args = ["alpine", "ghcr.io/org/app:1.2"])]
fn image_reference(text: &str) -> ImageRef {
    ImageRef::parse(black_box(text)).unwrap()
}

/// The row of a host: the first, one in the middle, and a host without a row, for which every row is compared.
#[divan::bench(args = ["ghcr.io", ECR, "registry.example.com"])]
fn registry_of(bencher: Bencher, host: &str) {
    let host = Host::parse(host.as_bytes()).unwrap();
    bencher.bench(|| Registry::of(black_box(&host)));
}

#[divan::bench]
fn pattern(bencher: Bencher) {
    let (pattern, host) = (
        Pattern::parse("*.dkr.ecr.*.amazonaws.com").unwrap(),
        Host::parse(ECR.as_bytes()).unwrap(),
    );
    bencher.bench(|| black_box(&pattern).matches(black_box(&host), "team/app"));
}

/// Which is what each process does once, or twice.
#[divan::bench]
fn seal_key() -> SealKey {
    SealKey::from_base64(black_box("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")).unwrap()
}

/// A user name and password, and an ECR token.
#[divan::bench(args = [60, 2600])]
fn seal(bencher: Bencher, length: usize) {
    let (key, text) = (SealKey::new(&[7; 32]).unwrap(), vec![b't'; length]);
    bencher.bench(|| key.seal(b"associated", black_box(&text)).unwrap());
}

#[divan::bench(args = [60, 2600])]
fn open(bencher: Bencher, length: usize) {
    let key = SealKey::new(&[7; 32]).unwrap();
    let sealed = key.seal(b"associated", &vec![b't'; length]).unwrap();
    bencher.bench(|| key.open(b"associated", black_box(&sealed)).unwrap());
}

/// The name of a cached token's file.
#[divan::bench]
fn fingerprint(bencher: Bencher) {
    let key = SealKey::new(&[7; 32]).unwrap();
    bencher.bench(|| {
        key.fingerprint(black_box([
            "default",
            ECR,
            ECR,
            "aws",
            "region=",
            "AWS_ACCESS_KEY_ID=AKIA",
        ]))
    });
}

#[divan::bench]
fn blob() -> Blob {
    let text = r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"octo","PASSWORD":"s3cret-token"}}"#;
    Blob::parse(black_box(text)).unwrap()
}

/// A configuration file of this many rules, with the reading of the file.
#[divan::bench(args = [1, 10, 100])]
fn configuration(bencher: Bencher, rules: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("config.toml");
    let rule = |number| {
        format!("[[registry]]\nhost = \"*.r{number}.example.net\"\nbackend = \"public\"\n")
    };
    std::fs::write(&file, (0..rules).map(rule).collect::<String>()).unwrap();
    let file = file.to_str().unwrap();
    bencher
        .bench(|| Config::load(&Env::of([("BETA9_CREDENTIAL_CONFIG", black_box(file))])).unwrap());
}
