//! A body that fails once it is too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame, SizeHint};

use super::{Outcome, Wire};

/// Limits an answer's body to `MAX_ANSWER`.
pub(super) fn bounded(body: SdkBody, wire: Wire) -> SdkBody {
    SdkBody::from_body_1_x(Bounded {
        body,
        left: MAX_ANSWER,
        wire,
    })
}

struct Bounded {
    body: SdkBody,
    left: u64,
    wire: Wire,
}

impl Body for Bounded {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let this = &mut *self;
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else {
            return Poll::Ready(None);
        };
        let frame = frame.inspect_err(|_| this.wire.set(Outcome::Broken))?;
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = this.left.checked_sub(length) else {
            this.wire.set(Outcome::TooLarge);
            return Poll::Ready(Some(Err("the answer is too large".into())));
        };
        this.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// In bytes. A token is less than 4 KiB, a role's session less than 3 KiB.
const MAX_ANSWER: u64 = 256 << 10;
