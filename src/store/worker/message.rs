//! The two messages of `GetCacheOriginCredentials`, and their gRPC codec. They are written by hand, so that the build
//! does not need `protoc`.

use std::fmt;

use prost::Message;
use prost::bytes::Buf;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use super::errors::Trouble;
use crate::credential::Redacted;

/// The requested credentials.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Request {
    #[prost(string, tag = "1")]
    pub(super) workspace_id: String,
    #[prost(string, tag = "2")]
    pub(super) stub_id: String,
    #[prost(string, tag = "3")]
    pub(super) registry: String,
    #[prost(string, tag = "4")]
    pub(super) image_id: String,
}

/// The gateway's answer. Its `error_msg` may contain anything, so it is only compared with a known text.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
struct Answer {
    #[prost(bool, tag = "1")]
    ok: bool,
    #[prost(bytes = "vec", tag = "2")]
    error_msg: Vec<u8>,
    #[prost(string, tag = "3")]
    registry_credentials: String,
}

impl Answer {
    /// The vended blob, which may be empty.
    fn vended(self) -> Result<Redacted, Trouble> {
        let mut words = self.error_msg.windows(UNAUTHORIZED.len());
        if self.ok {
            Ok(self.registry_credentials.into())
        } else if words.any(|words| words == UNAUTHORIZED) {
            // The method itself needs no login, so no status reports this.
            Err(Trouble::Status(Code::Unauthenticated))
        } else {
            Err(Trouble::Refused)
        }
    }
}

/// The codec for a [`Request`] and what is vended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire;

impl Codec for Wire {
    type Encode = Request;
    /// Without a status from the gateway.
    type Decode = Result<Redacted, Trouble>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Wire {
    type Item = Request;
    type Error = Status;

    fn encode(&mut self, request: Request, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        request
            .encode(out)
            .map_err(|_| Status::internal("the request cannot be encoded"))
    }
}

impl Decoder for Wire {
    type Item = Result<Redacted, Trouble>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let answer = Answer::decode(&mut *message);
        // Discard the rest after a decoding error, so that the stream's end is found.
        message.advance(message.remaining());
        Ok(Some(match answer {
            Ok(answer) => answer.vended(),
            Err(_) => Err(Trouble::Unreadable),
        }))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("ok", &self.ok)
            .finish_non_exhaustive()
    }
}

/// <https://github.com/beam-cloud/beta9>, `pkg/gateway/services/repository/cache_coordinator.go`.
const UNAUTHORIZED: &[u8] = b"unauthorized cache coordinator request";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_have_the_contracts_numbers() {
        let text = |text: &str| text.to_owned();
        let request = Request {
            workspace_id: text("w"),
            stub_id: text("s"),
            registry: text("r"),
            image_id: text("i"),
        };
        assert_eq!(
            request.encode_to_vec(),
            b"\x0a\x01w\x12\x01s\x1a\x01r\x22\x01i"
        );
        let answer =
            Answer::decode(b"\x08\x01\x12\x02n\xff\x1a\x04blob\x22\x03new".as_slice()).unwrap();
        assert_eq!(
            (answer.ok, answer.registry_credentials.as_str()),
            (true, "blob")
        );
    }

    #[test]
    fn a_refused_token_is_reported_from_every_other_refusal() {
        let vended = |ok, text: &str| {
            let error_msg = text.into();
            let answer = Answer {
                ok,
                error_msg,
                ..Answer::default()
            };
            answer.vended()
        };
        let words = "unauthorized cache coordinator request";
        for text in [words, &format!("gateway: {words}\n")] {
            let refused = vended(false, text);
            assert!(matches!(
                refused,
                Err(Trouble::Status(Code::Unauthenticated))
            ));
        }
        for other in [
            "",
            "unauthorized",
            "worker token credential request requires a stub",
        ] {
            assert!(
                matches!(vended(false, other), Err(Trouble::Refused)),
                "{other}"
            );
        }
        assert!(vended(true, words).is_ok());
    }

    #[test]
    fn debug_output_never_holds_what_was_vended() {
        let answer = Answer {
            ok: true,
            error_msg: b"hunter2".to_vec(),
            registry_credentials: "hunter2".to_owned(),
        };
        assert_eq!(format!("{answer:?}"), "Answer { ok: true, .. }");
        assert_eq!(format!("{:?}", answer.vended()), "Ok(****)");
    }
}
