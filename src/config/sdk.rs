//! `Endpoint`: the URL and token of the gateway's HTTP API, from the configuration or, for what is missing there, from
//! the settings of Beta9's Python SDK, which are read only then.
//!
//! A token is sent only to the gateway named by its own source. The SDK's sources are its files, with one section per
//! context, and then the environment; only the first one with the context counts. This follows SDK 0.1.291
//! (<https://pypi.org/project/beta9/>), except that no default addresses are used.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use super::address::Address;
use super::errors::GatewaySettingsError;
use super::ini::Ini;
use super::stores::{GatewayConfig, SecretSetting, TokenSource};
use crate::credential::Redacted;
use crate::error::Error;
use crate::shown::shown;
use crate::trusted::{self, FileError, Readers};

/// The gateway's HTTP API and its token.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The URL, without a trailing slash.
    pub url: String,
    /// The token.
    pub token: Redacted,
    /// The key, variable or file that the token is from.
    pub token_source: String,
}

impl GatewayConfig {
    /// The endpoint from the configuration and the SDK's settings. Fails if the URL or the token is missing or invalid,
    /// or if they don't belong together.
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        if let (Some(url), Some(token)) = (&self.url, &self.token) {
            return self.with_own(token, self.checked(url));
        }
        let Some(saved) = self.saved()? else {
            return self.of_environment();
        };
        match (&self.url, &self.token) {
            (Some(url), _) => {
                let url = self.checked(url)?;
                self.check_meant(&saved, &url)?;
                saved.endpoint(Ok(url))
            }
            (None, Some(token)) if self.token_source == TokenSource::Configuration => {
                if self.context.is_none() {
                    let (token, place) = (self.token_source.name(), saved.source);
                    return Err(GatewaySettingsError::OtherToken { token, place }.into());
                }
                self.with_own(token, self.http_url(&saved.address))
            }
            // The environment counts only if no context of that name is saved.
            (None, _) => {
                let url = self.http_url(&saved.address);
                saved.endpoint(url)
            }
        }
    }

    /// The endpoint if no file of the SDK has the context.
    fn of_environment(&self) -> Result<Endpoint, Error> {
        let hosted = self.token_source == TokenSource::Hosted;
        let address = if hosted {
            &self.hosted
        } else {
            &self.environment
        };
        // The hosted product uses special gateways for some context names, and one gateway's token isn't for another.
        let other = hosted && self.context.as_deref().is_some_and(|name| name != DEFAULT);
        match (&self.token, &self.context) {
            (Some(token), _) if address.is_set() && !other => {
                self.with_own(token, self.http_url(address))
            }
            (_, Some(name)) => {
                let (name, places) = (shown(name).to_string(), self.places());
                Err(GatewaySettingsError::NoContext { name, places }.into())
            }
            (Some(_), None) => Err(self.no_gateway()),
            (None, None) => Err(GatewaySettingsError::NoToken(self.places()).into()),
        }
    }

    /// The endpoint with the configured token or the environment's.
    fn with_own(
        &self,
        token: &SecretSetting,
        url: Result<String, Error>,
    ) -> Result<Endpoint, Error> {
        let token_source = match token {
            SecretSetting::Inline(_) => self.token_source.name().to_owned(),
            SecretSetting::File(path) => path.display().to_string(),
        };
        let token = token.read(PART)?;
        if token.is_empty() {
            return Err(GatewaySettingsError::EmptyToken(token_source).into());
        }
        Ok(Endpoint {
            url: url?,
            token,
            token_source,
        })
    }

    /// A saved token is for its own gateway. It is sent to another machine only if the operator names the context.
    fn check_meant(&self, saved: &Context, url: &str) -> Result<(), Error> {
        let Ok(own) = self.http_url(&saved.address) else {
            return Ok(());
        };
        let machine = |url: &str| {
            let host = Url::parse(url).ok()?.host_str()?.to_owned();
            Some(if is_here(&host) {
                HERE.to_owned()
            } else {
                host
            })
        };
        if self.context.is_some() || machine(&own) == machine(url) {
            return Ok(());
        }
        let (place, url) = (saved.source.clone(), url.to_owned());
        Err(GatewaySettingsError::OtherGateway { place, own, url }.into())
    }

    /// Validates a configured URL.
    fn checked(&self, text: &str) -> Result<String, Error> {
        let parsed = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let mut url = parsed.ok_or(GatewaySettingsError::NoUrl)?;
        // The SDK uses the unspecified address for a gateway on the same machine.
        if url.host_str() == Some("0.0.0.0") {
            _ = url.set_host(Some(HERE));
        }
        if url.scheme() == "http" && !self.in_clear(url.host_str().unwrap_or_default()) {
            return Err(GatewaySettingsError::Cleartext(url.into()).into());
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The HTTP address that is set, or that is derived from the gRPC address.
    fn http_url(&self, address: &Address) -> Result<String, Error> {
        if let Some(url) = &address.api_url {
            return self.checked(url);
        }
        let Some(host) = &address.host else {
            return Err(self.no_gateway());
        };
        let Some(url) = address.derived(host, self.in_clear(host)) else {
            let (host, port) = (shown(host).to_string(), shown(address.port()).to_string());
            return Err(GatewaySettingsError::GrpcAlone { host, port }.into());
        };
        self.checked(&url)
    }

    fn in_clear(&self, host: &str) -> bool {
        self.insecure || is_here(host)
    }

    /// The context, from the first of the SDK's files that has it.
    fn saved(&self) -> Result<Option<Context>, Error> {
        let name = self.context.as_deref().unwrap_or(DEFAULT);
        for file in &self.sdk_files {
            let refused = |fault: FileError| fault.problem(PART);
            let bytes = trusted::read(file, Readers::Mounted, MAX_FILE).map_err(refused)?;
            let Some(bytes) = bytes else { continue };
            let text = trusted::text_of(file, bytes).map_err(refused)?;
            let unreadable = |what: String, why| {
                let place = format!("{}{what}", file.display());
                GatewaySettingsError::Unreadable { place, why }
            };
            let ini = Ini::parse(&text).map_err(|mistake| {
                let why = format!("line {}: {}", mistake.line, mistake.cause);
                unreadable(String::new(), why)
            })?;
            if ini.has(name) {
                let context = Context::read(&ini, name, file);
                let unreadable = |why: &str| unreadable(format!(" [{name}]"), why.to_owned());
                return Ok(Some(context.map_err(unreadable)?));
            }
        }
        Ok(None)
    }

    fn no_gateway(&self) -> Error {
        GatewaySettingsError::NoGateway(self.places()).into()
    }

    fn places(&self) -> String {
        if self.sdk_files.is_empty() {
            return "the SDK's settings".to_owned();
        }
        let files = self.sdk_files.iter().map(|file| file.display().to_string());
        files.collect::<Vec<_>>().join(" or ")
    }
}

/// One section of the SDK's file.
#[derive(Debug)]
struct Context {
    token: Option<Redacted>,
    address: Address,
    source: String,
}

impl Context {
    fn read(ini: &Ini, name: &str, file: &Path) -> Result<Self, &'static str> {
        let value = |key| ini.value(name, key);
        Ok(Self {
            token: value("token")?.map(Redacted::from),
            address: Address {
                api_url: value("api_url")?,
                host: value("gateway_host")?,
                port: value("gateway_port")?,
            },
            source: format!("{} [{name}]", file.display()),
        })
    }

    fn endpoint(self, url: Result<String, Error>) -> Result<Endpoint, Error> {
        let Some(token) = self.token else {
            return Err(GatewaySettingsError::NoToken(self.source).into());
        };
        Ok(Endpoint {
            url: url?,
            token,
            token_source: self.source,
        })
    }
}

fn is_here(host: &str) -> bool {
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    address.map_or(host == "localhost", |address| {
        address.is_loopback() || address.is_unspecified()
    })
}

pub(super) const PART: &str = "gateway store";
const DEFAULT: &str = "default";
const HERE: &str = "127.0.0.1";
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn endpoint(
        ini: &str,
        change: impl FnOnce(&mut GatewayConfig),
    ) -> Result<(String, String), String> {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("config.ini");
        fs::write(&file, ini).unwrap();
        let mut config = GatewayConfig {
            sdk_files: vec![file.clone()],
            ..GatewayConfig::default()
        };
        change(&mut config);
        let shown = |text: String| text.replace(file.to_str().unwrap(), "FILE");
        let endpoint = config
            .endpoint()
            .map_err(|error| shown(error.to_string()))?;
        Ok((
            endpoint.url,
            format!(
                "{} from {}",
                endpoint.token.expose(),
                shown(endpoint.token_source)
            ),
        ))
    }

    const HOSTED: &str =
        "[default]\ntoken = t==\ngateway_host = gateway.beam.cloud\ngateway_port = 443\n";

    #[test]
    fn the_http_address_follows_from_the_grpc_address() {
        let table = [
            ("gateway.beam.cloud", "443", Some("https://app.beam.cloud")),
            (
                "gateway.stage.beam.cloud",
                "443",
                Some("https://app.stage.beam.cloud"),
            ),
            (
                "beta9.example.com",
                "1993",
                Some("https://beta9.example.com:1994"),
            ),
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
            let ini =
                format!("[default]\ntoken = t\ngateway_host = {host}\ngateway_port = {port}\n");
            let url = endpoint(&ini, |_| {}).map(|endpoint| endpoint.0);
            assert_eq!(url.as_deref().ok(), expected, "{host}:{port}: {url:?}");
        }
        let url = endpoint(
            "[default]\ntoken=t\ngateway_host=beta9.example.com\n",
            |config| config.insecure = true,
        );
        assert_eq!(url.unwrap().0, "http://beta9.example.com:1994");
    }

    #[test]
    fn what_inherits_is_pythons_default_section_and_not_the_default_context() {
        let ini = "[DEFAULT]\napi_url = http://0.0.0.0:1994\n[default]\ntoken = d\ngateway_host = localhost\n\
                   [prod]\ntoken = p\napi_url = https://prod.example/api/\n[bare]\n[empty]\ntoken =\n";
        let get = |name: &str| endpoint(ini, |config| config.context = Some(name.to_owned()));
        assert_eq!(
            endpoint(ini, |_| {}).unwrap(),
            (
                "http://127.0.0.1:1994".into(),
                "d from FILE [default]".into()
            )
        );
        assert_eq!(
            get("prod").unwrap(),
            (
                "https://prod.example/api".into(),
                "p from FILE [prod]".into()
            )
        );
        for name in ["bare", "empty"] {
            let expected = format!("no token for the gateway is set, and FILE [{name}] has none");
            assert!(get(name).unwrap_err().contains(&expected));
        }
        for name in ["absent", "DEFAULT"] {
            assert!(
                get(name)
                    .unwrap_err()
                    .contains(&format!("there is no context \"{name}\" in FILE"))
            );
        }
        let token = endpoint(
            "[DEFAULT]\ntoken = t%%\n[default]\ngateway_host = localhost\n",
            |_| {},
        )
        .unwrap()
        .1;
        assert_eq!(token, "t% from FILE [default]");
        let error = endpoint("[default]\ntoken = hunter2\n[default]\n", |_| {}).unwrap_err();
        assert_eq!(
            error,
            "gateway store: FILE cannot be read: line 3: the section stands there twice; correct the file"
        );
        let error = endpoint("[default]\ntoken = hunter2%1\n", |_| {}).unwrap_err();
        assert!(
            error.contains("FILE [default] cannot be read: ") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn a_token_goes_to_another_sources_gateway_only_if_the_operator_says_so() {
        let token = |source| {
            move |config: &mut GatewayConfig| {
                (config.token, config.token_source) =
                    (Some(SecretSetting::Inline("mine".into())), source);
            }
        };
        let with_url = |url: &'static str, change: fn(&mut GatewayConfig)| {
            endpoint(HOSTED, move |config| {
                config.url = Some(url.into());
                change(config);
            })
        };
        let named = |config: &mut GatewayConfig| config.context = Some("default".into());
        let saved = (
            "https://app.beam.cloud".to_owned(),
            "t== from FILE [default]".to_owned(),
        );
        assert_eq!(
            endpoint(HOSTED, token(TokenSource::Environment)).unwrap(),
            saved
        );
        assert_eq!(endpoint(HOSTED, token(TokenSource::Hosted)).unwrap(), saved);
        let error = endpoint(HOSTED, token(TokenSource::Configuration)).unwrap_err();
        let expected = "gateway store: store.gateway.token is set, and the gateway in FILE [default] is for another token; \
                        set store.gateway.url, or store.gateway.context if that gateway is meant";
        assert_eq!(error, expected);
        let both = endpoint(HOSTED, |config| {
            token(TokenSource::Configuration)(config);
            named(config);
        });
        assert_eq!(
            both.unwrap(),
            (
                "https://app.beam.cloud".into(),
                "mine from store.gateway.token".into()
            )
        );
        let both = endpoint(HOSTED, |config| {
            token(TokenSource::Environment)(config);
            config.url = Some("https://beta9.example.com/api/".into());
        });
        assert_eq!(
            both.unwrap(),
            (
                "https://beta9.example.com/api".into(),
                "mine from BETA9_TOKEN".into()
            )
        );
        // A saved token, and a URL of this program's own.
        assert_eq!(with_url("https://app.beam.cloud", |_| {}).unwrap(), saved);
        let error = with_url("https://beta9.example.com", |_| {}).unwrap_err();
        let expected = "gateway store: the token in FILE [default] is for https://app.beam.cloud, not for \
                        https://beta9.example.com; set BETA9_TOKEN, or BETA9_CONTEXT if the saved token is meant";
        assert_eq!(error, expected);
        assert_eq!(
            with_url("https://beta9.example.com", named).unwrap().1,
            saved.1
        );
        let nowhere = endpoint("[default]\ntoken = t\n", |config| {
            config.url = Some("https://beta9.example.com".into());
        });
        assert_eq!(nowhere.unwrap().0, "https://beta9.example.com");
        let here = "[default]\ntoken = t\ngateway_host = 0.0.0.0\ngateway_port = 1993\n";
        assert!(
            endpoint(here, |config| config.url =
                Some("http://localhost:8080".into()))
            .is_ok()
        );
    }

    #[test]
    fn a_url_that_no_gateway_has_is_refused_and_not_quoted() {
        let own = |url: &str, insecure| {
            let url = url.to_owned();
            move |config: &mut GatewayConfig| {
                (config.url, config.insecure) = (Some(url), insecure);
                config.token = Some(SecretSetting::Inline("t".into()));
            }
        };
        for url in [
            "gateway",
            "ftp://h",
            "https://u:hunter2@h",
            "https://h/?hunter2",
            "https://h#hunter2",
            "https://",
        ] {
            let saved = format!("[default]\ntoken = t\napi_url = {url}\n");
            assert!(!endpoint(&saved, |_| {}).unwrap_err().contains("hunter2"));
            let error = endpoint(HOSTED, own(url, false)).unwrap_err();
            assert!(
                error.contains("is not http:// or https://") && !error.contains("hunter2"),
                "{error}"
            );
        }
        let plain = |insecure| own("http://beta9.example.com:1994", insecure);
        let error = endpoint(HOSTED, plain(false)).unwrap_err();
        assert!(
            error.contains("without TLS; use https://, or set store.gateway.insecure = true"),
            "{error}"
        );
        assert_eq!(
            endpoint(HOSTED, plain(true)).unwrap().0,
            "http://beta9.example.com:1994"
        );
    }

    #[test]
    fn a_file_that_anybody_can_write_is_refused_and_one_that_is_not_needed_is_not_read() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("config.ini");
        fs::write(&file, HOSTED).unwrap();
        let mut config = GatewayConfig {
            sdk_files: vec![file.clone()],
            ..GatewayConfig::default()
        };
        for (mode, accepted) in [
            (0o600, true),
            (0o644, true),
            (0o664, true),
            (0o666, false),
            (0o602, false),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(config.endpoint().is_ok(), accepted, "{mode:o}");
        }
        config.url = Some("https://h".into());
        config.token = Some(SecretSetting::Inline("t".into()));
        assert!(config.endpoint().is_ok());
    }
}
