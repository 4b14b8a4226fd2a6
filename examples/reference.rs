//! Parses an image reference like docker: `cargo run --example reference -- ghcr.io/org/app:1.2`.

use std::process::ExitCode;

use beta9_credential::host::Reference;

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to people"
)]
fn main() -> ExitCode {
    let text = std::env::args_os().nth(1).unwrap_or_default();
    match Reference::parse(text.as_encoded_bytes()) {
        Ok(Reference::Image(image)) => {
            println!("registry {}, repository {}", image.host, image.repository);
        }
        Ok(Reference::Server(server)) => println!("registry {}", server.label()),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
