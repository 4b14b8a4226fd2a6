//! Kubelet's exec credential provider, version 1
//! (<https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>).
//!
//! One request on standard input, one response on standard output. A failure is one line on standard error and exit
//! status 1, with nothing on standard output: kubelet logs the line, and tries its other credentials.

mod image;
mod request;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use zeroize::Zeroizing;

use super::errors::KubeletError;
use super::read_all;
use crate::Io;
use crate::config::{Env, StoreKind};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::Scheme;
use crate::json;
use crate::resolver::{Answered, Resolver, Route};
use crate::service_account::ServiceAccount;
use crate::{succeed, warn, warn_all};
use image::Image;
use request::Request;

/// Answers one request or shows the help; returns the exit status.
pub fn run(args: &[&str], env: &Env, io: &mut Io) -> u8 {
    let answer = match args {
        [] => answer(env, io),
        ["--help" | "-h"] => Ok(HELP.to_owned().into()),
        _ => {
            // Read the input, because a caller that is still writing when the helper exits would fail with a broken
            // pipe.
            _ = read_all(io.input, MAX_REQUEST, PATIENCE);
            Err(KubeletError::Arguments.into())
        }
    };
    match answer {
        Ok(text) => succeed(&text, io),
        Err(error) => {
            warn(io.err, &crate::one_line(&error));
            1
        }
    }
}

/// If the input is a request of kubelet's, says on standard error that the argument `kubelet` is missing in its
/// configuration. Otherwise kubelet's log would only show an exit status.
pub fn is_misdirected(text: &[u8], err: &mut dyn std::io::Write) -> bool {
    let is_request = request::is_request(text);
    if is_request {
        warn(err, &Error::from(KubeletError::NoArgument));
    }
    is_request
}

/// The same if nothing has been read yet: reads piped input that ends at once.
pub fn is_misdirected_input(io: &mut Io) -> bool {
    read_all(io.input, MAX_REQUEST, GLANCE).is_ok_and(|text| is_misdirected(&text, io.err))
}

fn answer(env: &Env, io: &mut Io) -> Result<Zeroizing<String>, Error> {
    let text =
        read_all(io.input, MAX_REQUEST, PATIENCE).map_err(|error| error.with_example(EXAMPLE))?;
    let request = Request::parse(&text)?;
    // A text that can't be an image certainly has no credential, so no store is asked.
    let Ok(image) = Image::parse(&request.image) else {
        return Ok(nothing());
    };
    let resolver = Resolver::of(env)?;
    let answer = answer_for(&image, request, &resolver);
    warn_all(io.err, resolver.warnings());
    answer
}

fn answer_for(
    image: &Image,
    request: Request,
    resolver: &Resolver,
) -> Result<Zeroizing<String>, Error> {
    let Some(route) = resolver.route(&image.host, Scheme::Https, &image.repository) else {
        return Ok(nothing());
    };
    let about = |error: Error| error.about(image.host.as_reference());
    // If workload identity is off, the pod's token is not even parsed.
    let pod = request.token.filter(|_| route.workload_identity);
    let pod = pod
        .map(|token| ServiceAccount::new(token, request.annotations))
        .transpose()
        .map_err(about)?;
    match resolver.audited("kubelet", Some(image.host.as_reference()), |resolver| {
        resolver.answer(&route, pod.as_ref())
    }) {
        Ok(answered) => response(image, &route, resolver, &answered).map_err(about),
        Err(Error::NotFound) => Ok(nothing()),
        Err(error) => Err(error),
    }
}

/// If an answer applies to a whole registry, kubelet may cache it for the registry. If a path, a pod or an image
/// decides, it is cached per image, because kubelet would otherwise use it where another rule applies.
fn response(
    image: &Image,
    route: &Route,
    resolver: &Resolver,
    answered: &Answered,
) -> Result<Zeroizing<String>, Error> {
    let config = resolver.config();
    let by_image = answered.of_pod
        || config.rules_depend_on_path(&image.host)
        || config.store == StoreKind::Worker;
    let duration = match answered.expires {
        // Half of the remaining life, as in the clouds' own providers: whatever kubelet caches is then valid for at
        // least as long again, for a slow pull.
        Some(end) => end.duration_since(SystemTime::now()).unwrap_or_default() / 2,
        None => config.kubelet.static_cache_duration,
    };
    let below = route.rule.map_or("", |rule| rule.host.path());
    write(
        if by_image { "Image" } else { "Registry" },
        duration,
        Some((&image.key(below), &answered.credential)),
    )
}

fn write<'a>(
    cache_key: &'a str,
    duration: Duration,
    auth: Option<(&'a str, &'a Credential)>,
) -> Result<Zeroizing<String>, Error> {
    if auth.is_some_and(|(_, credential)| credential.username() == IDENTITY_TOKEN) {
        return Err(KubeletError::IdentityToken.into());
    }
    let login = |(key, credential): (_, &'a Credential)| {
        let (username, password) = (credential.username(), credential.secret().expose());
        (key, Login { username, password })
    };
    Ok(json::line(&Response {
        kind: RESPONSE,
        api_version: API_VERSION,
        cache_key_type: cache_key,
        cache_duration: go_duration(duration),
        auth: auth.map(login).into_iter().collect(),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    kind: &'a str,
    api_version: &'a str,
    cache_key_type: &'a str,
    cache_duration: String,
    auth: BTreeMap<&'a str, Login<'a>>,
}

#[derive(Serialize)]
struct Login<'a> {
    username: &'a str,
    password: &'a str,
}

/// An empty answer, which is not cached, so that a newly stored credential works at once.
fn nothing() -> Zeroizing<String> {
    write("Image", Duration::ZERO, None).unwrap_or_default()
}

/// A duration in whole seconds, in Go's format: `1h0m5s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

const HELP: &str = "\
Answers kubelet's exec credential provider API: reads a
CredentialProviderRequest from standard input and prints a
CredentialProviderResponse. Kubelet runs it when its flags
--image-credential-provider-config and --image-credential-provider-bin-dir
name it.

Usage: docker-credential-beta9 kubelet

Exit status: 0 with an answer, which may have no credentials; 1 with a line on
standard error, which kubelet logs, and nothing on standard output.

Example:
  echo '{\"kind\":\"CredentialProviderRequest\",
    \"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",
    \"image\":\"ghcr.io/org/app\"}' | docker-credential-beta9 kubelet
";
pub(super) const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
const RESPONSE: &str = "CredentialProviderResponse";
const IDENTITY_TOKEN: &str = "<token>";
const EXAMPLE: &str =
    "pipe a CredentialProviderRequest in; see docker-credential-beta9 kubelet --help";
/// In bytes. All annotations of an object have at most 256 KiB together.
const MAX_REQUEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for a request of kubelet's after a mistake on the command line.
const GLANCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m0s"),
            (3600, "1h0m0s"),
            (43_145, "11h59m5s"),
        ] {
            assert_eq!(go_duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(go_duration(Duration::from_millis(59_999)), "59s");
    }
}
