//! Errors for calls that AWS refused.

use super::super::PART;
use crate::error::{Code, Fault, Meaning};

/// A call that AWS refused.
#[derive(Debug, thiserror::Error)]
#[error("{service} in {region}: {said}")]
pub(super) struct Refused {
    pub(super) service: &'static str,
    pub(super) region: String,
    pub(super) said: Said,
}

/// Why AWS refused. A text in a variant is the fix.
#[derive(Debug, thiserror::Error)]
pub(super) enum Said {
    #[error("the web identity token has expired")]
    TokenExpired(&'static str),
    #[error("the session has expired")]
    SessionExpired(&'static str),
    #[error("this node's clock is more than five minutes off")]
    Clock,
    #[error("the secret access key does not belong to the access key id")]
    WrongKey(&'static str),
    #[error("it says that the request is not signed")]
    Unsigned,
    #[error("it does not accept the web identity token")]
    Untrusted,
    #[error("the region is not enabled for the account")]
    RegionOff,
    #[error("access denied: {principal} may not {action}{why}")]
    Denied {
        principal: String,
        action: String,
        why: &'static str,
        fix: &'static str,
        is_dispensable: bool,
    },
    #[error("AWS_ACCESS_KEY_ID is a session's and comes without its token")]
    SessionKey,
    #[error("AWS does not know the access key id, or the session token does not belong to it")]
    UnknownKey(&'static str),
    /// Any other refusal, with AWS's code.
    #[error("it refused the request ({0})")]
    No(String),
}

impl Fault for Refused {
    fn meaning(&self) -> Meaning {
        let of = |fix: &'static str| Meaning::new(Code::MintRefused, PART).fix(fix);
        match &self.said {
            Said::Clock => of("set the clock (timedatectl shows whether NTP runs)"),
            Said::Unsigned => of("check whether a proxy takes headers out of requests"),
            Said::Untrusted => {
                of("check that the role trusts the token's issuer, subject and audience")
            }
            Said::RegionOff => of("enable it in the account's settings"),
            Said::Denied {
                fix,
                is_dispensable: true,
                ..
            } => of(fix).dispensable(),
            Said::TokenExpired(fix)
            | Said::SessionExpired(fix)
            | Said::WrongKey(fix)
            | Said::Denied { fix, .. } => of(fix),
            Said::SessionKey => {
                of("put AWS_SESSION_TOKEN into the secret too, or use the keys of a user")
            }
            Said::UnknownKey(correct) => of("").fix(format!(
                "{correct}; where the region is one to opt in to, see that its account has"
            )),
            Said::No(_) => {
                of("check that endpoint_url and the role in the configuration or secret are right")
            }
        }
    }
}
