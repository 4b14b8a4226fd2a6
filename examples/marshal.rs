//! Writes a registry's secret byte for byte as Beta9's image builder stores it:
//! `REGISTRY_USERNAME=octo REGISTRY_PASSWORD=… cargo run --example marshal -- harbor.example.com`.

use std::process::ExitCode;

use beta9_credential::keys::{Blob, CredentialType, Keys};

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example talks to people and reads its own environment"
)]
fn main() -> ExitCode {
    let registry = std::env::args().nth(1).unwrap_or_default();
    let mut keys = Keys::default();
    for name in ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"] {
        if let Ok(value) = std::env::var(name)
            && let Err(error) = keys.insert(name, value.into())
        {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    if let Some(fault) = keys.fault() {
        eprintln!("{fault}; {}", fault.fix());
        return ExitCode::FAILURE;
    }
    println!(
        "{}",
        Blob::marshal(&registry, CredentialType::Basic, &keys).expose()
    );
    ExitCode::SUCCESS
}
