//! `GetCacheOriginCredentials` on the wire: the two messages, and gRPC's way of carrying them. Few as they are, they
//! are written here by hand, so that building needs no `protoc`.

use std::fmt;

use prost::Message;
use prost::bytes::Buf;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::credential::Redacted;

/// Which credentials.
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

/// What the gateway says. Its `error_msg` (2) is another program's text, which may hold anything; it is not even read.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
struct Answer {
    #[prost(bool, tag = "1")]
    ok: bool,
    #[prost(string, tag = "3")]
    registry_credentials: String,
}

/// What was vended.
#[derive(Debug)]
pub(super) struct Vended {
    /// Whether the gateway was willing.
    pub(super) ok: bool,
    /// The blob; empty where there is none.
    pub(super) credentials: Redacted,
}

/// The answer is not the message that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Carries [`Request`] there and [`Vended`] back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire;

impl Codec for Wire {
    type Encode = Request;
    /// Told apart from what the gateway says in a status.
    type Decode = Result<Vended, Unreadable>;
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
        request.encode(out).map_err(|_| Status::internal("the request cannot be encoded"))
    }
}

impl Decoder for Wire {
    type Item = Result<Vended, Unreadable>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let answer = Answer::decode(&mut *message);
        // Garbage is left lying where decoding stopped; what follows it must still be found.
        message.advance(message.remaining());
        let vended = |answer: Answer| Vended { ok: answer.ok, credentials: answer.registry_credentials.into() };
        Ok(Some(answer.map(vended).map_err(|_| Unreadable)))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("ok", &self.ok).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_have_the_contracts_numbers() {
        let text = |text: &str| text.to_owned();
        let request = Request { workspace_id: text("w"), stub_id: text("s"), registry: text("r"), image_id: text("i") };
        assert_eq!(request.encode_to_vec(), b"\x0a\x01w\x12\x01s\x1a\x01r\x22\x01i");
        let answer = Answer::decode(b"\x08\x01\x12\x02no\x1a\x04blob\x22\x03new".as_slice()).unwrap();
        assert_eq!((answer.ok, answer.registry_credentials.as_str()), (true, "blob"));
    }

    #[test]
    fn debug_output_never_holds_what_was_vended() {
        let answer = Answer { ok: true, registry_credentials: "hunter2".to_owned() };
        assert_eq!(format!("{answer:?}"), "Answer { ok: true, .. }");
        let vended = Vended { ok: true, credentials: "hunter2".into() };
        assert_eq!(format!("{vended:?}"), "Vended { ok: true, credentials: **** }");
    }
}
