//! Asks a registry whether it takes a credential for pulling a repository: Basic, or a bearer token of its token server
//! (<https://distribution.github.io/distribution/spec/auth/token/>). The credential goes to the registry and to its own
//! token server, and nowhere else.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::credential::{Credential, Redacted};
use crate::error::{Error, Problem};
use crate::host::{Host, ImageRef};
use crate::http::{Cleartext, Http, Request, Response};
use crate::json;
use crate::runtime::block_on;

/// Succeeds when the registry takes this credential for a pull of the image's repository.
pub fn authenticate(image: &ImageRef, credential: &Credential, deadline: Instant) -> Result<(), Error> {
    let part = "registry";
    let asked = async {
        let http = Http::new(deadline, Cleartext::Loopback).map_err(|fault| fault.error(part))?;
        ask(&http, image, credential).await
    };
    block_on(part, deadline, asked).map_err(|error| error.about(image.host.as_str()))
}

async fn ask(http: &Http, image: &ImageRef, credential: &Credential) -> Result<(), Error> {
    let (base, answer) = reach(http, &image.host).await?;
    let manifest = manifest_url(&base, image);
    let basic = basic(credential);
    if answer.status == 200 {
        // It asks nobody for a credential here; whether it takes this one is only said at the repository.
        return judge(&send(http, &Request::get(manifest).header("authorization", basic)).await?);
    }
    match Challenge::of(&answer)
        .ok_or_else(|| refused(format!("it answered {} without saying how to log in", answer.status)))?
    {
        Challenge::Basic => judge(&send(http, &Request::get(manifest).header("authorization", basic)).await?),
        Challenge::Bearer { realm, service } => {
            check_realm(&realm, &base, &image.host)?;
            let scope = format!("repository:{}:pull", image.repository);
            let url = format!(
                "{realm}{}service={}&scope={}",
                if realm.contains('?') { '&' } else { '?' },
                escape(&service),
                escape(&scope)
            );
            let answer = send(http, &Request::get(url).header("authorization", basic)).await?;
            if !answer.is_success() {
                // A repository may be missing; a token server that is has taken nothing.
                judge(&answer)?;
                return Err(refused(format!("its token server answered {}", answer.status)));
            }
            let token = token(&answer).ok_or_else(|| refused("its token server answered no token".to_owned()))?;
            judge(&send(http, &Request::get(manifest).bearer(&token)).await?)
        }
    }
}

/// The registry's URL and its first answer: over `https`, or `http` where it is on this node and speaks no TLS.
async fn reach(http: &Http, host: &Host) -> Result<(String, Response), Error> {
    let host = if host.is_docker_hub() { "registry-1.docker.io" } else { host.as_str() };
    let (https, plain) = (format!("https://{host}"), format!("http://{host}"));
    let fault = match http.send(&Request::get(format!("{https}/v2/"))).await {
        Ok(answer) => return Ok((https, answer)),
        Err(fault) => fault,
    };
    match http.send(&Request::get(format!("{plain}/v2/"))).await {
        Ok(answer) => Ok((plain, answer)),
        Err(_) => Err(fault.error("registry")),
    }
}

fn manifest_url(base: &str, image: &ImageRef) -> String {
    let (tag, digest) =
        image.suffix.split_once('@').map_or((image.suffix.as_str(), None), |(tag, digest)| (tag, Some(digest)));
    let reference = digest.or_else(|| tag.strip_prefix(':')).unwrap_or("latest");
    format!("{base}/v2/{}/manifests/{reference}", image.repository)
}

async fn send(http: &Http, request: &Request) -> Result<Response, Error> {
    http.send(&request.clone().header("accept", MANIFESTS)).await.map_err(|fault| fault.error("registry"))
}

/// What the registry said to the credential. A manifest that is not there is no matter of credentials.
fn judge(answer: &Response) -> Result<(), Error> {
    match answer.status {
        200..=299 | 404 => Ok(()),
        401 => Err(refused("it does not take this credential (401)".to_owned())),
        403 => Err(refused("the credential may not pull this repository (403)".to_owned())),
        429 => Err(Problem::new("registry", "it is throttling (429)").fix("try again later").unreachable()),
        status @ 500.. => {
            Err(Problem::new("registry", format_args!("it failed ({status})")).fix("try again later").unreachable())
        }
        status => Err(refused(format!("it answered {status}"))),
    }
}

fn refused(cause: String) -> Error {
    Problem::new("registry", cause)
        .fix("see whether the keys are right and may pull this repository; nothing was stored")
        .failed()
}

enum Challenge {
    Basic,
    Bearer { realm: String, service: String },
}

impl Challenge {
    /// The first challenge of `WWW-Authenticate` that is known.
    fn of(answer: &Response) -> Option<Self> {
        let header = answer.header("www-authenticate")?;
        let (scheme, parameters) = header.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let parameter = |name: &str| {
            let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        bearer.then(|| {
            Some(Self::Bearer { realm: parameter("realm")?, service: parameter("service").unwrap_or_default() })
        })?
    }
}

/// A registry could name any token server; the credential goes only to its own host, or to the one its vendor documents.
fn check_realm(realm: &str, base: &str, host: &Host) -> Result<(), Error> {
    let scheme = if base.starts_with("http://") { "http://" } else { "https://" };
    let realm_host = realm.strip_prefix(scheme).map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    let realm_host = realm_host.and_then(|text| Host::parse(text.as_bytes()).ok());
    let documented = TOKEN_SERVERS.iter().find(|(registry, _)| *registry == host.as_str()).map(|(_, server)| *server);
    let own =
        realm_host.as_ref().is_some_and(|realm| realm.name() == host.name() || Some(realm.as_str()) == documented);
    if own {
        Ok(())
    } else {
        Err(refused("it names a token server that is not its own; the credential was not sent there".to_owned()))
    }
}

fn token(answer: &Response) -> Option<Redacted> {
    let object = json::parse_object(&answer.body).ok()?;
    object.text("token").or_else(|| object.text("access_token")).cloned()
}

fn basic(credential: &Credential) -> Redacted {
    let pair = zeroize::Zeroizing::new(format!("{}:{}", credential.username(), credential.secret().expose()));
    format!("Basic {}", STANDARD.encode(pair.as_bytes())).into()
}

/// Percent-encodes a query's value.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// Registries whose token server has another host, as their vendors document it.
const TOKEN_SERVERS: [(&str, &str); 3] = [
    ("docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
];

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    /// A registry on loopback: each path has a status, headers and a body; what is asked is passed on, with the credential.
    fn registry(answers: &'static [(&str, &str)]) -> (u16, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, (tell, told)) = (listener.local_addr().unwrap().port(), channel());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n').map_while(Result::ok);
                let line = lines.next().map(|line| String::from_utf8_lossy(&line).into_owned()).unwrap_or_default();
                // A TLS hello is no request; the connection ends.
                let Some(path) = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { continue };
                let headers = lines.map(|line| String::from_utf8_lossy(&line).trim().to_lowercase());
                let authorization =
                    headers.take_while(|line| !line.is_empty()).find(|line| line.starts_with("authorization"));
                let known = answers.iter().find(|(known, _)| path.split('?').next() == Some(*known));
                let answer =
                    known.map_or("404 Not Found\r\n\r\n", |(_, answer)| answer).replace("PORT", &port.to_string());
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                let length = body.len();
                _ = tell.send(format!("{path} {}", authorization.unwrap_or_default()));
                _ = write!(stream, "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            }
        });
        (port, told)
    }

    fn ask(answers: &'static [(&str, &str)]) -> (Result<(), String>, Vec<String>) {
        let (port, told) = registry(answers);
        let image = ImageRef::parse(&format!("127.0.0.1:{port}/team/app:1")).unwrap();
        let credential = Credential::new("octo".into(), "hunter2".into()).unwrap();
        let answer = authenticate(&image, &credential, Instant::now() + Duration::from_secs(10));
        let answer = answer.map_err(|error| error.to_string().replace(&port.to_string(), "PORT"));
        (answer, told.try_iter().collect())
    }

    const MANIFEST: &str = "/v2/team/app/manifests/1";
    const BASIC: &str = "401 Unauthorized\r\nwww-authenticate: Basic realm=\"r\"\r\n\r\n";
    const BEARER: &str =
        "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://127.0.0.1:PORT/token\",service=\"s\"\r\n\r\n";
    const TOKEN: &str = "200 OK\r\ncontent-type: application/json\r\n\r\n{\"token\":\"t\"}";

    #[test]
    fn a_credential_that_the_registry_takes_is_accepted_by_basic_and_by_bearer() {
        assert_eq!(ask(&[("/v2/", BASIC), (MANIFEST, "200 OK\r\n\r\n")]).0, Ok(()));
        let (answer, asked) = ask(&[("/v2/", BEARER), ("/token", TOKEN), (MANIFEST, "200 OK\r\n\r\n")]);
        assert_eq!(answer, Ok(()));
        assert_eq!(asked.last().unwrap(), &format!("{MANIFEST} authorization: bearer t"));
        assert_eq!(asked.len(), 3, "{asked:?}");
        // No such image is no matter of credentials.
        assert_eq!(ask(&[("/v2/", BASIC)]).0, Ok(()));
    }

    #[test]
    fn whatever_refuses_the_credential_is_an_error() {
        let table: [(&'static [(&str, &str)], &str); 5] = [
            (&[("/v2/", BASIC), (MANIFEST, BASIC)], "it does not take this credential (401)"),
            (
                &[("/v2/", BASIC), (MANIFEST, "403 Forbidden\r\n\r\n")],
                "the credential may not pull this repository (403)",
            ),
            (&[("/v2/", BEARER), ("/token", BASIC)], "it does not take this credential (401)"),
            (&[("/v2/", BEARER)], "its token server answered 404"),
            (&[("/v2/", BEARER), ("/token", "200 OK\r\n\r\n{}")], "its token server answered no token"),
        ];
        for (answers, why) in table {
            let error = ask(answers).0.unwrap_err();
            assert!(
                error.starts_with(&format!("127.0.0.1:PORT: registry: {why}")) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_credential_goes_to_no_token_server_but_the_registrys_own() {
        let foreign =
            "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://evil.example/token\",service=\"s\"\r\n\r\n";
        let answers: &'static [(&str, &str)] = Box::leak(Box::new([("/v2/", foreign)]));
        let (answer, asked) = ask(answers);
        assert!(
            answer
                .unwrap_err()
                .contains("it names a token server that is not its own; the credential was not sent there")
        );
        assert_eq!(asked, ["/v2/ "]);
        let host = |text: &str| Host::parse(text.as_bytes()).unwrap();
        for (realm, registry, own) in [
            ("https://auth.docker.io/token", "docker.io", true),
            ("https://gitlab.com/jwt/auth", "registry.gitlab.com", true),
            ("https://ghcr.io/token", "ghcr.io", true),
            ("https://auth.docker.io/token", "ghcr.io", false),
            ("http://ghcr.io/token", "ghcr.io", false),
            ("https://ghcr.io@evil.example/token", "ghcr.io", false),
            ("https://ghcr.io.evil.example/token", "ghcr.io", false),
            ("https://evil.example\\@ghcr.io/token", "ghcr.io", false),
        ] {
            assert_eq!(check_realm(realm, "https://registry", &host(registry)).is_ok(), own, "{realm} {registry}");
        }
    }
}
