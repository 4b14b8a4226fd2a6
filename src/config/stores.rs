//! The settings of the workspace stores that are reached over a network.

use std::path::{Path, PathBuf};

use super::address::Address;
use super::env::Env;
use super::layer::{cover, parse_flag, parsed};
use super::section::Section;
use crate::credential::Redacted;
use crate::error::{Error, Problem};

/// A token or URL with a password in it: in the configuration, or in a file of its own.
#[derive(Clone, Debug)]
pub enum SecretSetting {
    /// Its text.
    Inline(Redacted),
    /// The file that holds it; one line end behind it does not count.
    File(PathBuf),
}

/// `[store.gateway]`: the gateway's HTTP API, with a workspace token.
#[derive(Clone, Debug, Default)]
pub struct GatewayConfig {
    /// The HTTP URL; else it follows from the SDK's settings.
    pub url: Option<String>,
    /// The workspace token; else it is in the SDK's settings.
    pub token: Option<SecretSetting>,
    /// Where that token was set.
    pub token_source: TokenSource,
    /// The workspace's id, where one is configured; else the token's own workspace is asked for.
    pub workspace: Option<String>,
    /// Whether plain HTTP to another host than this one is allowed.
    pub insecure: bool,
    /// The section of the SDK's settings.
    pub context: Option<String>,
    /// The SDK's settings files, to be read in this order where something above is missing.
    pub sdk_files: Vec<PathBuf>,
    /// The gateway of the SDK's environment: `BETA9_API_URL`, `BETA9_GATEWAY_HOST` and `BETA9_GATEWAY_PORT`.
    pub environment: Address,
    /// The one that the hosted SDK takes from its environment, where the token is that SDK's.
    pub hosted: Address,
}

/// Where the gateway's token was set, which says what it may be used with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenSource {
    /// A configuration file of this program.
    #[default]
    Configuration,
    /// `BETA9_TOKEN`, or the service's credential of that purpose.
    Environment,
    /// `BEAM_TOKEN`, which the hosted product's SDK reads.
    Hosted,
}

impl TokenSource {
    /// The key or variable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "store.gateway.token",
            Self::Environment => "BETA9_TOKEN",
            Self::Hosted => "BEAM_TOKEN",
        }
    }
}

/// `[store.worker]`: the gateway's gRPC API, with a worker token.
#[derive(Clone, Debug, Default)]
pub struct WorkerConfig {
    /// `host:port`; port 443 means TLS.
    pub address: Option<String>,
    /// The settings or variables that the address can be set by.
    pub address_source: &'static str,
    /// The worker token.
    pub token: Option<SecretSetting>,
    /// The settings or variables that the token can be set by.
    pub token_source: &'static str,
    /// The stub that a private pool's worker must name.
    pub stub_id: Option<String>,
    /// The image whose secret comes first.
    pub image_id: Option<String>,
    /// Whether the registry of the image that is pulled must have a credential.
    pub required: bool,
}

/// `[store.postgres]`: Beta9's database.
#[derive(Clone, Debug, Default)]
pub struct PostgresConfig {
    /// The connection URL.
    pub url: Option<SecretSetting>,
}

/// All of them, as one source says.
#[derive(Clone, Debug, Default)]
pub(super) struct StoresLayer {
    gateway: GatewayConfig,
    insecure: Option<bool>,
    worker: WorkerConfig,
    required: Option<bool>,
    /// The token that Beta9 puts into the environment of a worker's process.
    process_token: Option<SecretSetting>,
    postgres: PostgresConfig,
}

impl StoresLayer {
    pub(super) fn from_section(store: &mut Section) -> Result<Self, Error> {
        let mut gateway = store.section("gateway")?;
        let mut worker = store.section("worker")?;
        let mut postgres = store.section("postgres")?;
        let insecure = gateway.flag("insecure")?;
        let layer = Self {
            gateway: GatewayConfig {
                url: gateway.text("url")?,
                token: secret(&mut gateway, "token", "token_file")?,
                context: gateway.text("context")?,
                ..GatewayConfig::default()
            },
            insecure,
            worker: WorkerConfig {
                address: worker.text("address")?,
                token: secret(&mut worker, "token", "token_file")?,
                stub_id: worker.text("stub_id")?,
                image_id: worker.text("image_id")?,
                ..WorkerConfig::default()
            },
            required: worker.flag("required")?,
            process_token: None,
            postgres: PostgresConfig {
                url: secret(&mut postgres, "url", "url_file")?,
            },
        };
        gateway.finish()?;
        worker.finish()?;
        postgres.finish()?;
        Ok(layer)
    }

    pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
        let inline = |name| Ok::<_, Error>(env.secret(name)?.map(SecretSetting::Inline));
        // A service's environment can be read by others; what systemd hands it in a file cannot.
        let given = |name, credential| match inline(name)? {
            Some(secret) => Ok::<_, Error>(Some(secret)),
            None => Ok(env.credential(credential)?.map(SecretSetting::File)),
        };
        let (token, token_source) = match given(TokenSource::Environment.name(), "beta9-token")? {
            Some(token) => (Some(token), TokenSource::Environment),
            None => (inline(TokenSource::Hosted.name())?, TokenSource::Hosted),
        };
        let hosted = token.is_some() && token_source == TokenSource::Hosted;
        let hosted = if hosted {
            Address::from_hosted_env(env)?
        } else {
            Address::default()
        };
        let homes = [".beta9/config.ini", ".beam/config.ini"];
        let sdk_files = match env.path("CONFIG_PATH")? {
            Some(file) => vec![file],
            None => env
                .home()
                .into_iter()
                .flat_map(|home| homes.map(|file| home.join(file)))
                .collect(),
        };
        Ok(Self {
            gateway: GatewayConfig {
                url: env.text("BETA9_GATEWAY_URL")?,
                token,
                token_source,
                workspace: None,
                insecure: false,
                context: env.text("BETA9_CONTEXT")?,
                sdk_files,
                environment: Address::from_env(env)?,
                hosted,
            },
            insecure: None,
            worker: WorkerConfig {
                address: env.text("BETA9_WORKER_ADDRESS")?,
                token: given("BETA9_WORKER_TOKEN", "beta9-worker-token")?,
                stub_id: env.text("BETA9_STUB_ID")?,
                image_id: env.text("BETA9_IMAGE_ID")?,
                ..WorkerConfig::default()
            },
            required: parsed(env, "BETA9_WORKER_REQUIRED", "true or false", parse_flag)?,
            process_token: inline(PROCESS_TOKEN)?,
            postgres: PostgresConfig {
                url: given("BETA9_DATABASE_URL", "beta9-database-url")?,
            },
        })
    }

    pub(super) fn cover_with(&mut self, over: Self) {
        let (low, high) = (&mut self.gateway, over.gateway);
        // The hosted product's token is no setting of this program: it stands in where nothing else is set.
        if high.token.is_some() && (low.token.is_none() || high.token_source != TokenSource::Hosted)
        {
            (low.token, low.token_source) = (high.token, high.token_source);
        }
        if !high.sdk_files.is_empty() {
            low.sdk_files = high.sdk_files;
        }
        cover(&mut low.url, high.url);
        cover(&mut low.context, high.context);
        // Of all layers, only the environment's has these.
        (low.environment, low.hosted) = (high.environment, high.hosted);
        cover(&mut self.insecure, over.insecure);
        cover(&mut self.worker.address, over.worker.address);
        cover(&mut self.worker.token, over.worker.token);
        cover(&mut self.worker.stub_id, over.worker.stub_id);
        cover(&mut self.worker.image_id, over.worker.image_id);
        cover(&mut self.required, over.required);
        cover(&mut self.process_token, over.process_token);
        cover(&mut self.postgres.url, over.postgres.url);
    }

    /// With the workspace that is configured, if one is.
    pub(super) fn into_configs(
        self,
        workspace: Option<&str>,
    ) -> (GatewayConfig, WorkerConfig, PostgresConfig) {
        let insecure = self.insecure.unwrap_or(false);
        let gateway = GatewayConfig {
            insecure,
            workspace: workspace.map(str::to_owned),
            ..self.gateway
        };
        let mut worker = WorkerConfig {
            address_source: "BETA9_WORKER_ADDRESS, or address in [store.worker]",
            token_source: "BETA9_WORKER_TOKEN, or token in [store.worker]",
            required: self.required.unwrap_or(false),
            ..self.worker
        };
        // Beta9 starts a worker's process with the gateway's gRPC host and port, and its token, in these variables.
        if let (None, Some(host)) = (&worker.address, &gateway.environment.host) {
            let port = gateway
                .environment
                .port
                .as_ref()
                .map_or_else(String::new, |port| format!(":{port}"));
            (worker.address, worker.address_source) =
                (Some(format!("{host}{port}")), PROCESS_ADDRESS);
        }
        if worker.token.is_none() && self.process_token.is_some() {
            (worker.token, worker.token_source) = (self.process_token, PROCESS_TOKEN);
        }
        (gateway, worker, self.postgres)
    }
}

impl SecretSetting {
    /// The secret itself.
    pub fn read(&self, part: &str) -> Result<Redacted, Error> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(part, path),
        }
    }
}

fn read_file(part: &str, path: &Path) -> Result<Redacted, Error> {
    use crate::trusted::{self, Readers};

    let problem = |cause: String, fix: String| Problem::new(part, cause).fix(fix).failed();
    let bytes = trusted::read(path, Readers::Token, MAX_SECRET)
        .map_err(|fault| problem(fault.cause, fault.fix))?
        .ok_or_else(|| {
            problem(
                format!("there is no file {}", path.display()),
                "make it, or correct its path".to_owned(),
            )
        })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        problem(
            format!("{} is not UTF-8", path.display()),
            "correct the file".to_owned(),
        )
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

fn secret(
    section: &mut Section,
    key: &'static str,
    file_key: &'static str,
) -> Result<Option<SecretSetting>, Error> {
    let inline = section
        .text(key)?
        .map(|text| SecretSetting::Inline(text.into()));
    let file = section.path(file_key)?.map(SecretSetting::File);
    if inline.is_some() && file.is_some() {
        let cause = format_args!("\"{key}\" and \"{file_key}\" are both set");
        return Err(section.problem(cause).fix("remove one of them").failed());
    }
    Ok(inline.or(file))
}

const PROCESS_TOKEN: &str = "WORKER_TOKEN";
const PROCESS_ADDRESS: &str = "BETA9_GATEWAY_HOST and BETA9_GATEWAY_PORT";
const MAX_SECRET: u64 = 64 << 10;
