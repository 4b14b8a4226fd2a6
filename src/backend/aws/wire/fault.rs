//! Classifies why a connection failed.

use std::error::Error as StdError;
use std::io;

use super::Outcome;

/// Finds the reason in the chain of errors. The texts are from rustls and hyper-util, not from the peer.
pub(super) fn classify(error: &(dyn StdError + 'static)) -> Outcome {
    chain(error).find_map(outcome_of).unwrap_or(Outcome::Broken)
}

fn outcome_of(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return Some(Outcome::Refused),
            io::ErrorKind::TimedOut => return Some(Outcome::TimedOut),
            _ => {}
        }
    }
    let text = error.to_string();
    if text.starts_with("invalid peer certificate") {
        let reason = CERTIFICATE.iter().find(|(word, _)| text.contains(word));
        return Some(Outcome::Certificate(
            reason.map_or("is not valid", |(_, reason)| reason),
        ));
    }
    if text.starts_with("tunnel error") && !text.contains("underlying connection") {
        return Some(Outcome::Proxy);
    }
    (text.contains("dns error") || text.contains("failed to lookup address"))
        .then_some(Outcome::Unresolvable)
}

/// An error and its sources. `io::Error::source` skips the error that it wraps, which is the most specific one.
pub(in crate::backend::aws) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            Some(error) => error
                .get_ref()
                .map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Texts of rustls' `CertificateError`, in older and newer versions.
const CERTIFICATE: [(&str, &str); 6] = [
    ("xpired", "has expired"),
    (
        "UnknownIssuer",
        "is signed by an authority that this node does not trust",
    ),
    ("not valid for name", "is for another name"),
    ("NotValidForName", "is for another name"),
    ("NotValidYet", "is not valid yet"),
    ("not valid yet", "is not valid yet"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_however_deep_it_lies() {
        let wrap = |error: io::Error| io::Error::other(io::Error::other(error));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(classify(&wrap(refused)), Outcome::Refused);
        for (text, outcome) in [
            (
                "invalid peer certificate: UnknownIssuer",
                Outcome::Certificate(CERTIFICATE[1].1),
            ),
            (
                "invalid peer certificate: certificate expired: verification time …",
                Outcome::Certificate("has expired"),
            ),
            (
                "invalid peer certificate: BadSignature",
                Outcome::Certificate("is not valid"),
            ),
            ("dns error", Outcome::Unresolvable),
            ("tunnel error: unsuccessful", Outcome::Proxy),
            ("connection reset", Outcome::Broken),
        ] {
            assert_eq!(classify(&wrap(io::Error::other(text))), outcome, "{text}");
        }
    }
}
