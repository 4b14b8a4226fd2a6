//! Requests to a registry. Follows redirects like clients do, but never sends the credential to another host.

use super::Verdict;
use crate::credential::Redacted;
use crate::host::{Host, ImageRef};
use crate::http::{Cleartext, Http, HttpError, Kind, Request, Response};
use crate::log::Log;

/// A registry that has been reached.
pub(super) struct Registry<'a> {
    http: Http,
    log: &'a Log,
    image: &'a ImageRef,
    /// Scheme and host.
    pub(super) base: String,
}

impl<'a> Registry<'a> {
    /// Reaches the registry, and returns it with its first answer: over `https`, or over `http` if it is on this node
    /// and does not support TLS.
    pub(super) async fn reach(
        http: Http,
        image: &'a ImageRef,
        log: &'a Log,
    ) -> Result<(Self, Response), Verdict> {
        let host = if image.host.is_docker_hub() {
            Host::DOCKER_HUB_REGISTRY
        } else {
            image.host.as_str()
        };
        let mut registry = Self {
            http,
            log,
            image,
            base: format!("https://{host}"),
        };
        let fault = match registry.ping(None).await {
            Err(Verdict::NoAnswer(fault))
                if Cleartext::Loopback.allows(image.host.name()) && speaks_no_tls(&fault) =>
            {
                fault
            }
            answer => return answer.map(|answer| (registry, answer)),
        };
        registry.base = format!("http://{host}");
        match registry.ping(None).await {
            Ok(answer) => Ok((registry, answer)),
            // If the server answers without TLS, that answer is reported.
            Err(Verdict::NoAnswer(_)) if fault.kind() != Kind::Tls => Err(fault.into()),
            Err(other) => Err(other),
        }
    }

    /// Requests `/v2/`, where a credential is accepted or refused regardless of its permissions.
    pub(super) async fn ping(&self, login: Option<&Redacted>) -> Result<Response, Verdict> {
        self.ask(Request::get, "/v2/", login).await
    }

    /// Requests the image's manifest; an unsuccessful answer has a body with the reason.
    pub(super) async fn manifest(&self, login: Option<&Redacted>) -> Result<Response, Verdict> {
        let (repository, reference) = (&self.image.repository, reference(self.image));
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.ask(Request::head, &path, login).await?;
        // Some registries don't support HEAD here.
        if matches!(answer.status, 405 | 501) {
            self.ask(Request::get, &path, login).await
        } else {
            Ok(answer)
        }
    }

    /// Requests the repository's list of tags, to see whether it exists.
    pub(super) async fn repository(&self, login: Option<&Redacted>) -> Result<Response, Verdict> {
        let path = format!("/v2/{}/tags/list?n=1", self.image.repository);
        self.ask(Request::get, &path, login).await
    }

    /// Sends a request to the token server, without following redirects.
    pub(super) async fn token(&self, request: Request) -> Result<Response, Verdict> {
        self.send("token server", &request).await
    }

    async fn ask(
        &self,
        request: fn(String) -> Request,
        path: &str,
        login: Option<&Redacted>,
    ) -> Result<Response, Verdict> {
        let mut url = format!("{}{path}", self.base);
        for _ in 0..=MAX_REDIRECTS {
            let mut request = request(url.clone()).header("accept", MANIFESTS);
            if let Some(login) = login.filter(|_| origin(&url) == Some(self.base.as_str())) {
                request = request.header("authorization", login.clone());
            }
            let answer = self.send("registry", &request).await?;
            if !is_redirect(answer.status) {
                return Ok(answer);
            }
            url = answer
                .header("location")
                .and_then(|to| target(&url, to))
                .ok_or(Verdict::Redirected)?;
        }
        Err(Verdict::Redirected)
    }

    async fn send(&self, who: &str, request: &Request) -> Result<Response, Verdict> {
        let step = self.log.step();
        let answer = self.http.send(request).await;
        let said = answer
            .as_ref()
            .map_or_else(ToString::to_string, |answer| answer.status.to_string());
        self.log.done(
            step,
            format_args!("{who}: {} {}: {said}", request.method(), request.place()),
        );
        Ok(answer?)
    }
}

/// The tag or digest of an image, with the default tag.
pub(super) fn reference(image: &ImageRef) -> &str {
    match image.suffix.split_once('@') {
        Some((_, digest)) => digest,
        None => image.suffix.strip_prefix(':').unwrap_or("latest"),
    }
}

/// Whether a status is a redirect.
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The target of a redirect, if it is on the same origin, or on another host over TLS. Never a metadata service.
pub(crate) fn target(from: &str, to: &str) -> Option<String> {
    let url = if to.starts_with('/') && !to.starts_with("//") {
        format!("{}{to}", origin(from)?)
    } else {
        to.to_owned()
    };
    let near = from.starts_with("http://") && url.starts_with("http://");
    let rest = url.strip_prefix(if near { "http://" } else { "https://" })?;
    Host::parse(rest.split(['/', '?', '#']).next()?.as_bytes()).ok()?;
    Some(url)
}

/// Scheme and authority of a URL.
pub(crate) fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    Some(
        url[host..]
            .find(['/', '?', '#'])
            .map_or(url, |end| &url[..host + end]),
    )
}

/// Whether the fault may mean a server without TLS. A server with an untrusted certificate has TLS.
fn speaks_no_tls(fault: &HttpError) -> bool {
    matches!(fault.kind(), Kind::Tls | Kind::Closed | Kind::Truncated)
}

/// The longest chain of redirects that is followed.
pub(crate) const MAX_REDIRECTS: usize = 5;
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_within_the_origin_or_over_tls_to_a_host() {
        let table = [
            (
                "https://r.example/v2/",
                "/v2/x",
                Some("https://r.example/v2/x"),
            ),
            (
                "https://r.example/v2/",
                "https://cdn.example/x",
                Some("https://cdn.example/x"),
            ),
            (
                "http://127.0.0.1:5000/v2/",
                "http://127.0.0.1:5001/x",
                Some("http://127.0.0.1:5001/x"),
            ),
            ("https://r.example/v2/", "http://r.example/x", None),
            ("https://r.example/v2/", "//evil.example/x", None),
            (
                "https://r.example/v2/",
                "https://169.254.169.254/latest",
                None,
            ),
            ("https://r.example/v2/", "https://user@evil.example/x", None),
            ("https://r.example/v2/", "ftp://r.example/x", None),
        ];
        for (from, to, expected) in table {
            assert_eq!(target(from, to).as_deref(), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_digest_counts_more_than_a_tag_and_no_tag_is_latest() {
        let digest = "sha256:0123456789abcdef0123456789abcdef";
        for (image, expected) in [
            ("a/b", "latest"),
            ("a/b:1", "1"),
            (&format!("a/b:1@{digest}"), digest),
        ] {
            assert_eq!(reference(&ImageRef::parse(image).unwrap()), expected);
        }
    }
}
