//! What Rust programs do that pull images (testcontainers, for one): the crate `docker_credential`.
//! Usage: rust-client REGISTRY prints USER SECRET, or the identity token.

use docker_credential::{get_credential, DockerCredential};

fn main() {
    let registry = std::env::args()
        .nth(1)
        .expect("usage: rust-client REGISTRY");
    match get_credential(&registry) {
        Ok(DockerCredential::UsernamePassword(user, secret)) => println!("{user} {secret}"),
        Ok(DockerCredential::IdentityToken(token)) => println!("identity token {token}"),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
