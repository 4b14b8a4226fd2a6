//! `Proxied`: a channel on which a proxy may answer instead of the gateway. gRPC always has HTTP status 200. A load
//! balancer's 503 comes with a page, which would be parsed as a broken message and hide the status.

use std::task::{Context, Poll};

use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Service, StdError};
use tonic::transport::Channel;

/// A channel that turns answers other than gRPC into errors with their HTTP status.
pub(super) struct Proxied(pub(super) Channel);

/// The HTTP status of an answer that isn't gRPC.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("HTTP status {0}")]
pub(super) struct HttpStatus(u16);

impl Service<Request<Body>> for Proxied {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = BoxFuture<Response<Body>, StdError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        Service::poll_ready(&mut self.0, context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = Service::call(&mut self.0, request);
        Box::pin(async {
            let answer = answer.await?;
            let (status, says_more) = (
                answer.status(),
                answer.headers().contains_key("grpc-status"),
            );
            if status == 200 || says_more {
                Ok(answer)
            } else {
                Err(HttpStatus(status.as_u16()).into())
            }
        })
    }
}

impl HttpStatus {
    /// The corresponding gRPC status (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
    pub(super) fn code(self) -> Code {
        match self.0 {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }
}
