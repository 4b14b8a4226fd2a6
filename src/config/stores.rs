//! The kind of workspace store, and the settings of the remote ones.

use std::path::PathBuf;

use super::address::Address;
use super::env::Env;
use super::errors::ConfigError;
use super::options::{Gateway, Postgres, Worker};
use super::value::{Setting, Written};
use crate::credential::Redacted;
use crate::error::Error;
use crate::trusted::{self, Readers};

/// The workspace stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// The embedded encrypted store.
    #[default]
    File,
    /// The gateway's HTTP API.
    Gateway,
    /// The gateway's gRPC API for workers.
    Worker,
    /// Beta9's database.
    Postgres,
}

/// Which single workspace secrets are used for a vendor's registry without being named (`single_secrets`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Singles {
    /// None: only those that an image, a request or a rule names.
    Named,
    /// A complete pair of user name and secret under the vendor's own names.
    #[default]
    Pairs,
    /// All keys that the vendor's registries accept.
    All,
}

/// A token, or a URL with a password: in the configuration itself or in a file.
#[derive(Clone, Debug)]
pub enum SecretSetting {
    /// Reads the secret. `part` is for errors. Fails if the file is missing, not trusted or empty.
    Inline(Redacted),
    /// A file with the secret; one trailing line end is ignored.
    File(PathBuf),
}

/// `[store.gateway]`: the gateway's HTTP API, with a workspace token.
#[derive(Clone, Debug, Default)]
pub struct GatewayConfig {
    /// The HTTP URL; if missing, it comes from the SDK's settings.
    pub url: Option<String>,
    /// The workspace token; if missing, it comes from the SDK's settings.
    pub token: Option<SecretSetting>,
    /// Where that token was set.
    pub token_source: TokenSource,
    /// The configured workspace's id; if missing, the token's own workspace is used.
    pub workspace: Option<String>,
    /// Whether plain HTTP to other hosts is allowed.
    pub insecure: bool,
    /// The section of the SDK's settings.
    pub context: Option<String>,
    /// The SDK's settings files, read in this order if something above is missing.
    pub sdk_files: Vec<PathBuf>,
    /// The gateway of the SDK's environment: `BETA9_API_URL`, `BETA9_GATEWAY_HOST` and `BETA9_GATEWAY_PORT`.
    pub environment: Address,
    /// The gateway of the hosted SDK's environment, used with that SDK's token.
    pub hosted: Address,
}

/// Where the gateway's token was set, which decides where it may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenSource {
    /// A configuration file of this program.
    #[default]
    Configuration,
    /// `BETA9_TOKEN`, or the systemd credential for it.
    Environment,
    /// `BEAM_TOKEN`, which the hosted SDK reads.
    Hosted,
}

impl TokenSource {
    /// The key or variable.
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
    /// The settings and variables that can set the address, for errors.
    pub address_source: &'static str,
    /// The worker token.
    pub token: Option<SecretSetting>,
    /// The settings and variables that can set the token, for errors.
    pub token_source: &'static str,
    /// The stub that a private pool's worker must name.
    pub stub_id: Option<String>,
    /// The image whose secret comes first.
    pub image_id: Option<String>,
    /// Whether the registry of the pulled image must have a credential.
    pub required: bool,
}

/// `[store.postgres]`: Beta9's database.
#[derive(Clone, Debug, Default)]
pub struct PostgresConfig {
    /// The connection URL.
    pub url: Option<SecretSetting>,
}

impl Gateway {
    /// Adds the configured workspace, if any, and where the token was set.
    pub(super) fn into_config(
        self,
        env: &Env,
        workspace: Option<String>,
        token_source: TokenSource,
    ) -> Result<GatewayConfig, Error> {
        let mut config = GatewayConfig {
            url: self.url,
            token: secret(self.token, self.token_file),
            token_source,
            workspace,
            insecure: self.insecure.unwrap_or(false),
            context: self.context,
            sdk_files: sdk_files(env)?,
            environment: Address::from_env(env)?,
            hosted: Address::default(),
        };
        // The hosted product's token isn't a setting of this program, so it is used only if nothing else is set.
        if let (None, Some(token)) = (&config.token, env.secret(TokenSource::Hosted.name())?) {
            config.token = Some(SecretSetting::Inline(token));
            config.token_source = TokenSource::Hosted;
            config.hosted = Address::from_hosted_env(env)?;
        }
        Ok(config)
    }
}

impl Worker {
    /// Beta9 sets the gateway's gRPC host and port and the token in variables of the worker's process, which are the
    /// defaults.
    pub(super) fn into_config(self, env: &Env, gateway: &Address) -> Result<WorkerConfig, Error> {
        let mut config = WorkerConfig {
            address: self.address,
            address_source: "BETA9_WORKER_ADDRESS, or address in [store.worker]",
            token: secret(self.token, self.token_file),
            token_source: "BETA9_WORKER_TOKEN, or token in [store.worker]",
            stub_id: self.stub_id,
            image_id: self.image_id,
            required: self.required.unwrap_or(false),
        };
        if let (None, Some(host)) = (&config.address, &gateway.host) {
            let port = gateway.port.iter().map(|port| format!(":{port}"));
            config.address = Some(host.clone() + &port.collect::<String>());
            config.address_source = "BETA9_GATEWAY_HOST and BETA9_GATEWAY_PORT";
        }
        if let (None, Some(token)) = (&config.token, env.secret(PROCESS_TOKEN)?) {
            config.token = Some(SecretSetting::Inline(token));
            config.token_source = PROCESS_TOKEN;
        }
        Ok(config)
    }
}

impl Postgres {
    pub(super) fn into_config(self) -> PostgresConfig {
        PostgresConfig {
            url: secret(self.url, self.url_file),
        }
    }
}

fn sdk_files(env: &Env) -> Result<Vec<PathBuf>, Error> {
    if let Some(file) = env.path("CONFIG_PATH")? {
        return Ok(vec![file]);
    }
    let homes = [".beta9/config.ini", ".beam/config.ini"];
    let files = |home: PathBuf| homes.map(|file| home.join(file)).to_vec();
    Ok(env.home().map(files).unwrap_or_default())
}

fn secret(text: Option<Redacted>, file: Option<PathBuf>) -> Option<SecretSetting> {
    text.map(SecretSetting::Inline)
        .or(file.map(SecretSetting::File))
}

impl Singles {
    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Pairs => "pairs",
            Self::All => "all",
        }
    }
}

impl Setting for Singles {
    const WHAT: &'static str = "one of \"named\", \"pairs\" or \"all\"";

    fn parse(written: Written) -> Option<Self> {
        let word = written.text()?;
        let mut modes = [Self::Named, Self::Pairs, Self::All].into_iter();
        modes.find(|mode| mode.name() == word)
    }
}

impl StoreKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::File, Self::Gateway, Self::Worker, Self::Postgres];

    /// Whether a rule can name secrets in this store (`secret`, `secrets`).
    #[must_use]
    pub fn has_named_secrets(self) -> bool {
        match self {
            Self::File | Self::Worker => false,
            Self::Gateway | Self::Postgres => true,
        }
    }

    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Postgres => "postgres",
        }
    }
}

impl Setting for StoreKind {
    const WHAT: &'static str = "one of \"file\", \"gateway\", \"worker\" or \"postgres\"";

    fn parse(written: Written) -> Option<Self> {
        let word = written.text()?;
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

impl SecretSetting {
    /// The secret itself.
    pub fn read(&self, part: &str) -> Result<Redacted, Error> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let missing = || ConfigError::Missing {
                    part: part.to_owned(),
                    path: path.clone(),
                    fix: "make it, or correct its path",
                };
                let text = trusted::read(path, Readers::Token, MAX_SECRET)
                    .and_then(|bytes| bytes.map(|bytes| trusted::text_of(path, bytes)).transpose())
                    .map_err(|fault| fault.problem(part))?
                    .ok_or_else(missing)?;
                Ok(text.trim_end_matches(['\r', '\n']).into())
            }
        }
    }
}

const PROCESS_TOKEN: &str = "WORKER_TOKEN";
const MAX_SECRET: u64 = 64 << 10;
