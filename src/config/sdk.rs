//! `Endpoint`: where the gateway's HTTP API is and which token goes there, by the configuration or, for what that does
//! not say, by the settings of Beta9's Python SDK, which are read only then.
//!
//! The SDK's file is Python's INI (<https://docs.python.org/3/library/configparser.html#supported-ini-file-structure>),
//! one section per context, with `default` as the section that the others take their missing keys from.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use super::stores::{GatewayConfig, SecretSetting};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::private::{self, Readers};
use crate::shown::shown;

/// Where the gateway's HTTP API is, and the token that it is shown.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The URL, without a slash at its end.
    pub url: String,
    /// The token.
    pub token: Redacted,
    /// The key, variable or file that the token is from.
    pub token_source: String,
}

impl GatewayConfig {
    /// What the configuration says, and for the rest the SDK's settings.
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        let complete = self.url.is_some() && self.token.is_some();
        let context = if complete { None } else { self.context()? };
        let (token, token_source) = self.token(context.as_ref())?;
        let url = match &self.url {
            Some(url) => self.checked(url)?,
            None => self.derived(context.as_ref())?,
        };
        Ok(Endpoint { url, token, token_source })
    }

    fn token(&self, context: Option<&Context>) -> Result<(Redacted, String), Error> {
        let (token, source) = match (&self.token, context) {
            (Some(token), _) => {
                let source = match token {
                    SecretSetting::Inline(_) => self.token_source.to_owned(),
                    SecretSetting::File(path) => path.display().to_string(),
                };
                (token.read(PART)?, source)
            }
            (None, Some(Context { token: Some(token), source, .. })) => (token.clone(), source.clone()),
            (None, context) => {
                let place = context.map_or_else(|| self.places(), |context| context.source.clone());
                return Err(Problem::new(
                    PART,
                    format_args!("there is no token for the gateway, nor is one in {place}"),
                )
                .fix("set BETA9_TOKEN, or store.gateway.token_file in the configuration")
                .failed());
            }
        };
        if token.is_empty() {
            return Err(Problem::new(PART, format_args!("the token from {source} is empty")).fix("set it").failed());
        }
        Ok((token, source))
    }

    /// A URL that was written down, held to what a gateway's URL is.
    fn checked(&self, text: &str) -> Result<String, Error> {
        let problem = |cause: &str, fix: &str| Problem::new(PART, cause).fix(fix).failed();
        let parsed = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        // What was written is not quoted: somebody may have written a password into it.
        let url = parsed.ok_or_else(|| {
            let cause = "the gateway's URL is not http:// or https:// with a host and perhaps a path";
            problem(cause, "correct store.gateway.url or BETA9_GATEWAY_URL")
        })?;
        if url.scheme() == "http" && !self.in_clear(url.host_str().unwrap_or_default()) {
            let cause = format!("a token must not go to {url} without TLS");
            return Err(problem(&cause, "use https://, or set store.gateway.insecure = true"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The HTTP address that goes with a gRPC address.
    fn derived(&self, context: Option<&Context>) -> Result<String, Error> {
        let (host, port) = match (&self.sdk_host, context) {
            (Some(host), _) => (Some(host), None),
            (None, Some(context)) => (context.host.as_ref(), context.port.as_deref()),
            (None, None) => (None, None),
        };
        let port = self.sdk_port.as_deref().or(port).unwrap_or(GRPC_PORT);
        let Some(host) = host else {
            return Err(Problem::new(PART, format_args!("no gateway is configured, nor in {}", self.places()))
                .fix("set store.gateway.url or BETA9_GATEWAY_URL")
                .failed());
        };
        let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
        let derived = match port {
            _ if !plain => None,
            TLS_PORT => host
                .strip_prefix("gateway.")
                .filter(|domain| !domain.is_empty())
                .map(|domain| format!("https://app.{domain}")),
            GRPC_PORT => {
                // The SDK proposes the unspecified address for a gateway on the same machine.
                let host = if host == "0.0.0.0" { "127.0.0.1" } else { host };
                let scheme = if self.in_clear(host) { "http" } else { "https" };
                Some(format!("{scheme}://{host}:{HTTP_PORT}"))
            }
            _ => None,
        };
        let Some(url) = derived else {
            let cause = format!(
                "the gateway's HTTP address does not follow from its gRPC address {}:{}",
                shown(host),
                shown(port)
            );
            return Err(Problem::new(PART, cause).fix("set store.gateway.url or BETA9_GATEWAY_URL").failed());
        };
        self.checked(&url)
    }

    fn in_clear(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.insecure || address.map_or(host == "localhost", |address| address.is_loopback())
    }

    /// The context, from the first of the SDK's files that has it: no token goes to the host of another file.
    fn context(&self) -> Result<Option<Context>, Error> {
        let name = self.context.as_deref().unwrap_or(DEFAULT);
        for file in &self.sdk_files {
            let problem = |cause: String, fix: String| Problem::new(PART, cause).fix(fix).failed();
            let bytes =
                private::read(file, Readers::Anybody, MAX_FILE).map_err(|fault| problem(fault.cause, fault.fix))?;
            let Some(bytes) = bytes else { continue };
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| problem(format!("{} is not UTF-8", file.display()), "correct the file".to_owned()))?;
            if let Some(context) = Context::read(text, name, file) {
                return Ok(Some(context));
            }
        }
        match &self.context {
            Some(name) => {
                Err(Problem::new(PART, format_args!("there is no context \"{}\" in {}", shown(name), self.places()))
                    .fix("correct store.gateway.context or BETA9_CONTEXT")
                    .failed())
            }
            None => Ok(None),
        }
    }

    fn places(&self) -> String {
        let files: Vec<String> = self.sdk_files.iter().map(|file| file.display().to_string()).collect();
        if files.is_empty() { "the SDK's settings".to_owned() } else { files.join(" or ") }
    }
}

/// One section of the SDK's file.
#[derive(Debug, Default)]
struct Context {
    token: Option<Redacted>,
    host: Option<String>,
    port: Option<String>,
    source: String,
}

impl Context {
    /// The named section over the default one; `None` when it is not there.
    fn read(text: &str, name: &str, file: &Path) -> Option<Self> {
        let own = section(text, name)?;
        let default = if name == DEFAULT { Vec::new() } else { section(text, DEFAULT).unwrap_or_default() };
        // An empty value hides the default's too: the SDK writes one where there is nothing.
        let value = |key| {
            let find =
                |lines: &[(String, &str)]| lines.iter().rev().find(|line| line.0 == key).map(|line| line.1.to_owned());
            find(&own).or_else(|| find(&default)).filter(|value| !value.is_empty())
        };
        Some(Self {
            // Python's interpolation writes a percent sign twice.
            token: value("token").map(|token| token.replace("%%", "%").into()),
            host: value("gateway_host"),
            port: value("gateway_port"),
            source: format!("{} [{name}]", file.display()),
        })
    }
}

/// The keys, in lower case, and values of one section; `None` when it is not there.
fn section<'t>(text: &'t str, name: &str) -> Option<Vec<(String, &'t str)>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            inside = header.0 == name;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if let (true, Some(lines), Some((key, value))) = (inside, &mut found, line.split_once(['=', ':'])) {
            lines.push((key.trim().to_lowercase(), value.trim()));
        }
    }
    found
}

const PART: &str = "gateway store";
const DEFAULT: &str = "default";
/// The gRPC port of a gateway that one runs oneself, and the HTTP port that goes with it.
const GRPC_PORT: &str = "1993";
const HTTP_PORT: &str = "1994";
const TLS_PORT: &str = "443";
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn endpoint(ini: &str, change: impl FnOnce(&mut GatewayConfig)) -> Result<(String, String), String> {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("config.ini");
        fs::write(&file, ini).unwrap();
        let mut config = GatewayConfig { sdk_files: vec![file.clone()], ..GatewayConfig::default() };
        change(&mut config);
        let shown = |text: String| text.replace(file.to_str().unwrap(), "FILE");
        let endpoint = config.endpoint().map_err(|error| shown(error.to_string()))?;
        Ok((endpoint.url, format!("{} from {}", endpoint.token.expose(), shown(endpoint.token_source))))
    }

    const HOSTED: &str = "[default]\ntoken = t==\ngateway_host = gateway.beam.cloud\ngateway_port = 443\n";

    #[test]
    fn the_http_address_follows_from_the_grpc_address() {
        let table = [
            ("gateway.beam.cloud", "443", Some("https://app.beam.cloud")),
            ("gateway.stage.beam.cloud", "443", Some("https://app.stage.beam.cloud")),
            ("beta9.example.com", "1993", Some("https://beta9.example.com:1994")),
            ("localhost", "1993", Some("http://localhost:1994")),
            ("0.0.0.0", "1993", Some("http://127.0.0.1:1994")),
            ("127.0.0.1", "", Some("http://127.0.0.1:1994")),
            ("beta9.example.com", "443", None),
            ("gateway.", "443", None),
            ("beta9.example.com", "30993", None),
            ("user@beta9.example.com", "1993", None),
            ("beta9.example.com/x", "1993", None),
        ];
        for (host, port, expected) in table {
            let ini = format!("[default]\ntoken = t\ngateway_host = {host}\ngateway_port = {port}\n");
            let url = endpoint(&ini, |_| {}).map(|endpoint| endpoint.0);
            assert_eq!(url.as_deref().ok(), expected, "{host}:{port}: {url:?}");
        }
        let url = endpoint("[default]\ntoken=t\ngateway_host=beta9.example.com\n", |config| config.insecure = true);
        assert_eq!(url.unwrap().0, "http://beta9.example.com:1994");
    }

    #[test]
    fn contexts_comments_and_inheritance_are_pythons() {
        let ini = "# note\n[default]\nToken: d%%1\ngateway_host = localhost\n\n[prod]\n; token = no\ntoken = p=:1\n\
                   gateway_host = gateway.beam.cloud\ngateway_port=443\n[bare]\n[empty]\ntoken =\n";
        let get = |name: &str| endpoint(ini, |config| config.context = Some(name.to_owned()));
        assert_eq!(endpoint(ini, |_| {}).unwrap().1, "d%1 from FILE [default]");
        assert_eq!(get("prod").unwrap(), ("https://app.beam.cloud".into(), "p=:1 from FILE [prod]".into()));
        assert_eq!(get("bare").unwrap(), ("http://localhost:1994".into(), "d%1 from FILE [bare]".into()));
        assert!(get("empty").unwrap_err().contains("there is no token for the gateway, nor is one in FILE [empty]"));
        assert!(get("absent").unwrap_err().contains("there is no context \"absent\" in FILE"));
    }

    #[test]
    fn what_is_configured_or_in_the_environment_comes_first() {
        let token = |config: &mut GatewayConfig| {
            config.token = Some(SecretSetting::Inline("mine".into()));
            config.token_source = "BETA9_TOKEN";
        };
        let both = |config: &mut GatewayConfig| {
            token(config);
            config.url = Some("https://beta9.example.com/api/".into());
        };
        assert_eq!(endpoint(HOSTED, token).unwrap(), ("https://app.beam.cloud".into(), "mine from BETA9_TOKEN".into()));
        assert_eq!(endpoint(HOSTED, both).unwrap().0, "https://beta9.example.com/api");
        let env = |config: &mut GatewayConfig| config.sdk_host = Some("gateway.example.com".into());
        assert_eq!(endpoint(HOSTED, env).unwrap().0, "https://gateway.example.com:1994");
        let env = |config: &mut GatewayConfig| {
            (config.sdk_host, config.sdk_port) = (Some("gateway.example.com".into()), Some("443".into()));
        };
        assert_eq!(endpoint(HOSTED, env).unwrap().0, "https://app.example.com");
    }

    #[test]
    fn a_url_that_no_gateway_has_is_refused_and_not_quoted() {
        for url in ["gateway", "ftp://h", "https://u:hunter2@h", "https://h/?hunter2", "https://h#hunter2", "https://"]
        {
            let error = endpoint(HOSTED, |config| config.url = Some(url.into())).unwrap_err();
            assert!(error.contains("is not http:// or https://") && !error.contains("hunter2"), "{error}");
        }
        let plain = |insecure| {
            move |config: &mut GatewayConfig| {
                (config.url, config.insecure) = (Some("http://beta9.example.com:1994".into()), insecure);
            }
        };
        let error = endpoint(HOSTED, plain(false)).unwrap_err();
        assert!(error.contains("without TLS; use https://, or set store.gateway.insecure = true"), "{error}");
        assert_eq!(endpoint(HOSTED, plain(true)).unwrap().0, "http://beta9.example.com:1994");
    }

    #[test]
    fn a_file_that_anybody_can_write_is_refused_and_one_that_is_not_needed_is_not_read() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("config.ini");
        fs::write(&file, HOSTED).unwrap();
        let mut config = GatewayConfig { sdk_files: vec![file.clone()], ..GatewayConfig::default() };
        for (mode, accepted) in [(0o600, true), (0o644, true), (0o664, true), (0o666, false), (0o602, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(config.endpoint().is_ok(), accepted, "{mode:o}");
        }
        config.url = Some("https://h".into());
        config.token = Some(SecretSetting::Inline("t".into()));
        assert!(config.endpoint().is_ok());
    }
}
