//! `Cleartext`: where a request may go without TLS.

use std::net::IpAddr;

/// Where plain HTTP is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleartext {
    /// Nowhere.
    Never,
    /// On this node's loopback.
    Loopback,
    /// On loopback and link-local addresses, where a cloud's metadata service is.
    Node,
    /// Anywhere: the operator trusts the network in between.
    Anywhere,
}

impl Cleartext {
    pub(crate) fn allows(self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match (self, bare.parse::<IpAddr>()) {
            (Self::Never, _) => false,
            (Self::Anywhere, _) => true,
            (_, Ok(address)) if address.is_loopback() => true,
            (Self::Node, Ok(IpAddr::V4(address))) => address.is_link_local(),
            (Self::Node, Ok(IpAddr::V6(address))) => address.is_unicast_link_local(),
            (_, Ok(_)) => false,
            (_, Err(_)) => host == "localhost",
        }
    }
}
