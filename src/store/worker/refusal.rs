//! `Asked`: who asked for what, to tell people why it was not answered and what to look at.

use std::fmt;

use tonic::Code;

use super::address::Address;
use super::call::Trouble;
use super::problem;
use crate::error::Error;
use crate::http::Kind;
use crate::shown::shown;

/// What a question was about; the names of things, never the token.
pub(super) struct Asked<'a> {
    pub(super) address: &'a Address,
    /// Where the token comes from.
    pub(super) token: String,
    pub(super) workspace: &'a str,
    pub(super) stub: Option<&'a str>,
    pub(super) image: Option<&'a str>,
}

impl Asked<'_> {
    /// The error for a question that got no answer.
    pub(super) fn error(&self, trouble: &Trouble) -> Error {
        let (address, token) = (self.address, &self.token);
        match trouble {
            Trouble::Connection(fault) => match fault.kind() {
                Kind::Nobody | Kind::Refused | Kind::Closed | Kind::Truncated => problem(fault)
                    .fix("see whether the node reaches it, and whether it is the gateway's gRPC address (1993, or 443 with TLS)")
                    .unreachable(),
                _ => fault.error(super::PART),
            },
            Trouble::Status(code) => self.status(*code),
            Trouble::Unreadable => problem(format_args!("{address} answered what cannot be read"))
                .fix("see whether the address is the gateway's, and whether a newer helper is needed")
                .failed(),
            Trouble::Token => problem("the worker token is empty or holds a character that no token has")
                .fix(format_args!("correct it ({token})"))
                .failed(),
        }
    }

    /// The error for a token that is wrong, revoked, disabled or of another kind.
    pub(super) fn unauthorized(&self) -> Error {
        let (address, token) = (self.address, &self.token);
        problem(format_args!(
            "{address} does not accept the worker token, for {self}"
        ))
        .fix(format_args!(
            "check that it is a current worker token, and not a workspace's ({token})"
        ))
        .failed()
    }

    /// The error for another answer that says no. The gateway's own words are not shown: they may hold anything.
    pub(super) fn refused(&self) -> Error {
        let fix = match self.stub {
            None => {
                "a worker of a private pool must name its stub: set BETA9_STUB_ID, and see whether the worker token is for this workspace; the gateway's log says more"
            }
            Some(_) => {
                "see whether the worker token, the stub and the image are of this workspace; the gateway's log says more"
            }
        };
        problem(format_args!(
            "the gateway refused to vend credentials for {self}"
        ))
        .fix(fix)
        .failed()
    }

    /// The same classes as an HTTP status would have: what is wrong here stops everything, what is wrong there may pass.
    fn status(&self, code: Code) -> Error {
        let (address, token) = (self.address, &self.token);
        match code {
            Code::Unauthenticated => self.unauthorized(),
            Code::PermissionDenied => problem(format_args!("the worker token may not ask {address} for {self}"))
                .fix(format_args!("see whether the token ({token}) is for this workspace and its pool for this stub"))
                .failed(),
            Code::Unimplemented => problem(format_args!("{address} does not know GetCacheOriginCredentials"))
                .fix("see whether it is the gateway's gRPC address, and recent enough to vend credentials to workers")
                .failed(),
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unknown
            | Code::DataLoss => problem(format_args!("{address} has failed (gRPC status {code:?})"))
                .fix("try again; the gateway's log says more")
                .unreachable(),
            _ => problem(format_args!("{address} refused the question about {self} (gRPC status {code:?})"))
                .fix("see whether the workspace, the stub and the image are right; the gateway's log says more")
                .failed(),
        }
    }
}

/// `workspace w, stub s, image i`, without what is not set.
impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workspace {}", shown(self.workspace))?;
        for (what, id) in [("stub", self.stub), ("image", self.image)] {
            match id {
                Some(id) => write!(f, ", {what} {}", shown(id))?,
                None => write!(f, ", no {what}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Code) -> Error {
        let address = Address::parse("gateway:1993").unwrap();
        let asked = Asked {
            address: &address,
            token: "/run/token".into(),
            workspace: "w",
            stub: None,
            image: Some("i"),
        };
        asked.error(&Trouble::Status(code))
    }

    #[test]
    fn a_status_that_may_pass_is_out_of_reach_and_every_other_one_stops() {
        for number in 1..=16 {
            let code = Code::from_i32(number);
            let passing = [
                Code::Unavailable,
                Code::DeadlineExceeded,
                Code::Cancelled,
                Code::Aborted,
                Code::ResourceExhausted,
                Code::Internal,
                Code::Unknown,
                Code::DataLoss,
            ];
            assert_eq!(
                matches!(error(code), Error::Unreachable(_)),
                passing.contains(&code),
                "{code:?}"
            );
        }
    }

    #[test]
    fn a_token_that_is_not_accepted_is_named_by_its_place_beside_the_workspace() {
        assert_eq!(
            error(Code::Unauthenticated).to_string(),
            "worker store: gateway:1993 does not accept the worker token, for workspace w, no stub, image i; check that it is a current worker token, and not a workspace's (/run/token)"
        );
    }
}
