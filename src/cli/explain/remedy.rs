//! What to do next if nothing would be returned, depending on the store and the registry, or on the fault in the
//! argument.

use std::ffi::OsStr;

use crate::cli::slip;
use crate::config::StoreKind;
use crate::host::{Host, ImageRef};
use crate::resolver::{Resolver, Route};

/// How to add a credential for a registry; `None` if it needs none.
pub(super) fn of_missing(route: &Route, resolver: &Resolver) -> Option<String> {
    let (host, store) = (route.host, resolver.config().store);
    if route.row.name == "public" {
        return None;
    }
    if let Some(slip) = slip::of(route, resolver) {
        return Some(slip);
    }
    let unused = if resolver.names_secrets() {
        resolver.unused_singles(route)
    } else {
        Vec::new()
    };
    if !unused.is_empty() {
        let (names, quoted) = (unused.join(", "), unused.join("\", \""));
        return Some(format!(
            "the workspace has the single secrets {names}; where they are for {host}, say so in a rule: secrets = [\"{quoted}\"]"
        ));
    }
    let provision = format!("docker-credential-beta9 provision {host}/IMAGE --creds KEY,KEY");
    Some(match store {
        StoreKind::Worker => format!(
            "a worker is vended the secret of its image: where the image is built, {provision} --image-id IMAGE_ID"
        ),
        _ if route.row.is_cloud() => {
            format!(
                "{provision}, or ambient = true in a rule for {host} if this node may log in as itself"
            )
        }
        StoreKind::File => login(host),
        StoreKind::Gateway | StoreKind::Postgres => {
            format!("{}, which makes the workspace's secret", login(host))
        }
    })
}

fn login(host: &Host) -> String {
    format!("docker login {host}")
}

/// What to ask for instead of an argument that is neither a registry nor an image.
pub(super) fn of_input(input: &OsStr) -> String {
    let lower = input.to_str().and_then(in_lower_case);
    lower.map_or_else(
        || USUAL.to_owned(),
        |image| format!("repositories are in lower case: {image}"),
    )
}

/// The image with its repository in lower case, if that makes it valid.
fn in_lower_case(text: &str) -> Option<String> {
    let name = text.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, suffix) = text.split_at(
        text[name..]
            .find([':', '@'])
            .map_or(text.len(), |at| name + at),
    );
    let image = repository.to_ascii_lowercase() + suffix;
    (image != text && ImageRef::parse(&image).is_ok()).then_some(image)
}

const USUAL: &str = "give a registry such as ghcr.io, or an image as docker pull takes it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_put_in_lower_case_and_its_tag_is_not() {
        let said = |input: &str| of_input(OsStr::new(input));
        assert_eq!(
            said("ghcr.io/Org/APP:V1"),
            "repositories are in lower case: ghcr.io/org/app:V1"
        );
        assert_eq!(said("Ubuntu"), "repositories are in lower case: ubuntu");
        for input in ["bad host", "ghcr.io/Org/A..P", "ghcr.io/org/app:", ""] {
            assert_eq!(said(input), USUAL, "{input}");
        }
    }
}
