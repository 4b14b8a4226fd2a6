//! `Config`: the configuration files and the environment, read once; the only reader of either.

mod address;
mod ambient;
mod audit;
mod env;
mod ini;
mod kubelet;
mod layer;
mod node;
mod rule;
mod sdk;
mod section;
mod stores;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use address::Address;
pub use ambient::Ambient;
pub use audit::AuditConfig;
pub use env::{Authorities, Env, ForeignHome, ProxyVariables};
pub use kubelet::KubeletConfig;
use layer::Layer;
pub use node::Node;
pub use rule::{CloudSettings, Rule};
pub use sdk::Endpoint;
pub use stores::{GatewayConfig, PostgresConfig, SecretSetting, TokenSource, WorkerConfig};

use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::log::Log;
use crate::trusted::{self, Reader};

/// Everything that steers an answer, checked.
#[derive(Debug)]
pub struct Config {
    /// The workspace whose secrets are asked for; keys, cache entries and files are bound to it.
    pub workspace: String,
    /// How long a whole `get` may take.
    pub timeout: Duration,
    /// How long a `list` waits for a store that is far away, before what it said last is told.
    pub list_timeout: Duration,
    /// For which clouds the node's own identity may be used, where no rule says otherwise.
    pub ambient: Ambient,
    /// The one workspace store.
    pub store: StoreKind,
    /// Which single workspace secrets are used although nobody named them.
    pub singles: Singles,
    /// Where the embedded store keeps its entries; `None` when there is no home directory to keep them in.
    pub file_path: Option<PathBuf>,
    /// Where the embedded store's key is.
    pub file_key: KeyPlace,
    /// The gateway, where that is the store.
    pub gateway: GatewayConfig,
    /// The worker API, where that is the store.
    pub worker: WorkerConfig,
    /// The database, where that is the store.
    pub postgres: PostgresConfig,
    /// Where minted tokens are kept, and how many.
    pub cache: CacheConfig,
    /// How kubelet is answered.
    pub kubelet: KubeletConfig,
    /// What this one request brought with it.
    pub request: Request,
    /// What says which identity the node has.
    pub node: Node,
    /// Where it is written down who was answered what, if it is.
    pub audit: Option<AuditConfig>,
    /// Where what is done is said.
    pub log: Log,
    /// What `HOME` says, where that is another user's and this user's own home directory, or none, is used.
    pub foreign_home: Option<ForeignHome>,
    /// The configuration files that were read.
    pub files: Vec<PathBuf>,
    rules: Vec<Rule>,
}

/// The workspace stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The embedded encrypted store.
    File,
    /// The gateway's HTTP API.
    Gateway,
    /// The gateway's gRPC API for workers.
    Worker,
    /// Beta9's database.
    Postgres,
}

/// Which single workspace secrets are used for a vendor's registry although nobody named them (`single_secrets`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Singles {
    /// None: only those that an image, a request or a rule names.
    Named,
    /// A whole pair of user name and secret under the vendor's own names.
    #[default]
    Pairs,
    /// Everything that the vendor's registries take.
    All,
}

/// Where the embedded store's key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A systemd credential (<https://systemd.io/CREDENTIALS/>): its access list shows as group bits.
    Credential(PathBuf),
    /// A file of mode 0600, made on first use.
    File(PathBuf),
    /// Nowhere: there is no home directory.
    Nowhere,
}

/// Where minted tokens are kept, and how many.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Whether they are kept at all.
    pub enabled: bool,
    /// The directories to try, in order; with none of them usable, tokens are minted each time.
    pub dirs: Vec<PathBuf>,
    /// At most this many entries are left after a mint.
    pub max_entries: u64,
    /// At most this many bytes are left after a mint.
    pub max_bytes: u64,
    /// How old a store's last answer may be that stands in for a store that cannot be reached.
    pub stale_if_error: Duration,
}

/// Credentials that came with the request and are never written to disk.
#[derive(Debug, Default)]
pub struct Request {
    /// `BETA9_IMAGE_CREDENTIALS`: a blob.
    pub credentials: Option<Redacted>,
    /// `BETA9_IMAGE_CREDENTIALS_FILE`: a file that holds one.
    pub file: Option<PathBuf>,
    /// What is pulled, which a blob without a registry is for.
    pub pulled: Pulled,
}

/// What the request says is pulled; nobody has looked yet whether it is a registry or an image.
#[derive(Clone, Debug, Default)]
pub struct Pulled {
    /// `BETA9_REGISTRY`: a registry.
    pub registry: Option<String>,
    /// `BETA9_IMAGE`: an image of one.
    pub image: Option<String>,
    /// `BETA9_IMAGE_SECRETS`: the single workspace secrets that the image names.
    pub secrets: Vec<String>,
}

impl Config {
    /// Reads `BETA9_CREDENTIAL_CONFIG`, or else the user's file over the system's; the environment is over both.
    pub fn load(env: &Env) -> Result<Self, Error> {
        Self::load_with(env, Path::new(SYSTEM_FILE))
    }

    fn load_with(env: &Env, system_file: &Path) -> Result<Self, Error> {
        let step = env.log().step();
        let mut files = Vec::new();
        let mut merged = Layer::default();
        if let Some(path) = env.path("BETA9_CREDENTIAL_CONFIG")? {
            merged = Layer::from_file(&path, trusted::read)?.ok_or_else(|| {
                Problem::new(
                    "BETA9_CREDENTIAL_CONFIG",
                    format_args!("there is no file {}", path.display()),
                )
                .fix("correct or unset it")
                .failed()
            })?;
            files.push(path);
        } else {
            let user_file = env
                .xdg("XDG_CONFIG_HOME", ".config")
                .map(|dir| dir.join(USER_FILE));
            let system_file: (_, Reader) = (Some(system_file.to_owned()), trusted::read_system);
            for (path, read) in [system_file, (user_file, trusted::read)] {
                let Some(path) = path else { continue };
                if let Some(layer) = Layer::from_file(&path, read)? {
                    merged.cover_with(layer);
                    files.push(path);
                }
            }
        }
        merged.cover_with(Layer::from_env(env)?);
        let config = Self::from_layer(merged, env, files)?;
        let Self {
            workspace,
            store,
            files,
            ..
        } = &config;
        env.log().done(
            step,
            format_args!(
                "config: {files:?} read; workspace {workspace}, {} store",
                store.name()
            ),
        );
        Ok(config)
    }

    fn from_layer(layer: Layer, env: &Env, files: Vec<PathBuf>) -> Result<Self, Error> {
        let data = env
            .xdg("XDG_DATA_HOME", ".local/share")
            .map(|dir| dir.join("beta9"));
        let mut rules = layer.rules;
        rules.sort_by_key(|rule| rule.host.specificity());
        // The default is no workspace's id: whoever writes it down has configured none either.
        let named = layer
            .workspace
            .clone()
            .filter(|workspace| workspace != DEFAULT_WORKSPACE);
        let (gateway, worker, postgres) = layer.stores.into_configs(named.as_deref());
        let file_path = layer
            .file_path
            .or_else(|| data.map(|data| data.join("credentials")));
        Ok(Self {
            workspace: layer
                .workspace
                .unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned()),
            timeout: layer.timeout.unwrap_or(DEFAULT_TIMEOUT),
            list_timeout: layer.list_timeout.unwrap_or(DEFAULT_LIST_TIMEOUT),
            ambient: layer.ambient.unwrap_or_default(),
            store: layer.store.unwrap_or(StoreKind::File),
            singles: layer.singles.unwrap_or_default(),
            file_key: key_place(layer.file_key, env, file_path.as_deref())?,
            file_path,
            gateway,
            worker,
            postgres,
            cache: cache_config(layer.cache, env),
            kubelet: layer.kubelet.into_config(),
            node: Node::read(env)?,
            audit: layer.audit.into_config(),
            log: env.log().clone(),
            foreign_home: env.foreign_home().cloned(),
            request: Request {
                credentials: env.secret("BETA9_IMAGE_CREDENTIALS")?,
                file: env.path("BETA9_IMAGE_CREDENTIALS_FILE")?,
                pulled: Pulled {
                    registry: env.text("BETA9_REGISTRY")?,
                    image: env.text("BETA9_IMAGE")?,
                    secrets: env
                        .text(Pulled::SECRETS)?
                        .map_or_else(Vec::new, |text| names(&text)),
                },
            },
            files,
            rules,
        })
    }

    /// The same configuration for the control plane's own keys, which are in the embedded store: that one names no single
    /// secrets, and no request brings any.
    #[must_use]
    pub fn of_own_keys(mut self) -> Self {
        self.store = StoreKind::File;
        self.request = Request::default();
        for rule in &mut self.rules {
            rule.secrets = None;
        }
        self
    }

    /// The most specific rule about this host and path.
    #[must_use]
    pub fn rule(&self, host: &Host, path: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.host.matches(host, path))
    }

    /// Whether the path below this host has a say in which rule applies.
    #[must_use]
    pub fn rules_depend_on_path(&self, host: &Host) -> bool {
        self.rules
            .iter()
            .any(|rule| !rule.host.path().is_empty() && rule.host.matches(host, rule.host.path()))
    }

    /// All rules, most specific first.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// The configured directory alone, or else the user's cache directory and, where that cannot be used, the session's.
fn cache_config(layer: layer::CacheLayer, env: &Env) -> CacheConfig {
    let below = |dir: PathBuf| dir.join("beta9/tokens");
    let dirs = match layer.dir {
        Some(dir) => vec![dir],
        None => [env.xdg("XDG_CACHE_HOME", ".cache"), env.session_dir()]
            .into_iter()
            .flatten()
            .map(below)
            .collect(),
    };
    CacheConfig {
        enabled: layer.enabled.unwrap_or(true),
        dirs,
        max_entries: layer.max_entries.unwrap_or(DEFAULT_MAX_ENTRIES),
        max_bytes: layer.max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
        stale_if_error: layer.stale_if_error.unwrap_or(DEFAULT_STALE),
    }
}

/// The configured key file, else systemd's credential where there is one, else a file beside the store.
fn key_place(
    configured: Option<PathBuf>,
    env: &Env,
    store: Option<&Path>,
) -> Result<KeyPlace, Error> {
    if let Some(path) = configured {
        return Ok(KeyPlace::File(path));
    }
    if let Some(path) = env.credential(SYSTEMD_CREDENTIAL)? {
        return Ok(KeyPlace::Credential(path));
    }
    let beside = |store: &Path| {
        let mut path = store.as_os_str().to_owned();
        path.push(".key");
        KeyPlace::File(path.into())
    };
    Ok(store.map_or(KeyPlace::Nowhere, beside))
}

impl Pulled {
    /// The variable that names the image's single secrets.
    pub const SECRETS: &str = "BETA9_IMAGE_SECRETS";
}

/// A list of names with commas between them.
fn names(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Singles {
    fn parse(word: &str) -> Option<Self> {
        [Self::Named, Self::Pairs, Self::All]
            .into_iter()
            .find(|mode| mode.name() == word)
    }

    /// The word in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Pairs => "pairs",
            Self::All => "all",
        }
    }
}

impl StoreKind {
    fn parse(word: &str) -> Option<Self> {
        [Self::File, Self::Gateway, Self::Worker, Self::Postgres]
            .into_iter()
            .find(|kind| kind.name() == word)
    }

    /// The word in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Postgres => "postgres",
        }
    }
}

const SYSTEM_FILE: &str = "/etc/beta9/credential-helper.toml";
const USER_FILE: &str = "beta9/credential-helper.toml";
const SYSTEMD_CREDENTIAL: &str = "beta9-credential-key";
/// The workspace of a configuration that names none.
pub const DEFAULT_WORKSPACE: &str = "default";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Somebody may be looking at a prompt that completes from it.
const DEFAULT_LIST_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_MAX_ENTRIES: u64 = 1024;
const DEFAULT_STALE: Duration = Duration::from_mins(15);
const DEFAULT_MAX_BYTES: u64 = 8 << 20;
const SINGLES: &str = "one of \"named\", \"pairs\" or \"all\"";
const STORE_KINDS: &str = "one of \"file\", \"gateway\", \"worker\" or \"postgres\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn load(system: &str, user: &str, more: [(&str, &str); 2]) -> Result<Config, String> {
        let scratch = tempfile::tempdir().unwrap();
        let system_file = scratch.path().join("system.toml");
        std::fs::write(&system_file, system).unwrap();
        let dir = scratch.path().join(".config/beta9");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("credential-helper.toml"), user).unwrap();
        let home = scratch.path().to_str().unwrap();
        let env = Env::of([("HOME", home), more[0], more[1]]);
        Config::load_with(&env, &system_file).map_err(|error| error.to_string().replace(home, "~"))
    }

    const NONE: [(&str, &str); 2] = [("A", ""), ("B", "")];

    #[test]
    fn nothing_at_all_is_a_whole_configuration() {
        let config = load("", "", NONE).unwrap();
        assert_eq!(
            (config.workspace.as_str(), config.timeout, config.ambient),
            ("default", DEFAULT_TIMEOUT, Ambient::NONE)
        );
        assert!(
            config
                .file_path
                .unwrap()
                .ends_with(".local/share/beta9/credentials")
        );
    }

    #[test]
    fn the_user_is_over_the_system_and_the_environment_over_both_key_by_key() {
        let system = "workspace = \"s\"\ntimeout = \"3s\"\nambient = true\n[store.file]\npath = \"/s\"\nkey_file = \"/k\"";
        let config = load(
            system,
            "workspace = \"u\"\ntimeout = \"4s\"",
            [("BETA9_WORKSPACE_ID", "e"), ("B", "")],
        )
        .unwrap();
        assert_eq!(
            (
                config.workspace.as_str(),
                config.timeout.as_secs(),
                config.ambient
            ),
            ("e", 4, Ambient::ALL)
        );
        assert_eq!(config.file_path.as_deref(), Some(Path::new("/s")));
        assert_eq!(config.file_key, KeyPlace::File("/k".into()));
    }

    #[test]
    fn the_most_specific_rule_wins_wherever_it_stands() {
        let rules = "[[registry]]\nhost = \"*.example.com\"\nbackend = \"public\"\n[[registry]]\nhost = \"r.example.com/team\"\nsecret = \"team\"\n[[registry]]\nhost = \"r.example.com\"\nsecret = \"s\"\nambient = true";
        let config = load(
            rules,
            "[[registry]]\nhost = \"r.example.com\"\nsecret = \"mine\"",
            NONE,
        )
        .unwrap();
        let rule = |host: &str, path: &str| {
            config
                .rule(&Host::parse(host.as_bytes()).unwrap(), path)
                .cloned()
        };
        assert_eq!(
            rule("r.example.com", "team/app").unwrap().secret.as_deref(),
            Some("team")
        );
        let exact = rule("r.example.com", "teams").unwrap();
        assert_eq!(
            (exact.secret.as_deref(), exact.ambient),
            (Some("mine"), Some(Ambient::ALL))
        );
        let in_file = |rule: Option<Rule>, file| rule.unwrap().file.ends_with(file);
        assert!(
            in_file(Some(exact), "credential-helper.toml"),
            "it was changed there last"
        );
        assert!(in_file(rule("q.example.com", ""), "system.toml"));
        assert_eq!(
            rule("q.example.com", "").unwrap().backend.as_deref(),
            Some("public")
        );
        assert!(rule("example.com", "").is_none());
    }

    #[test]
    fn workload_identity_is_off_until_somebody_turns_it_on() {
        let kubelet = |text: &str, more| load(text, "", more).map(|config| config.kubelet);
        let (off, on) = (
            kubelet("", NONE).unwrap(),
            [("BETA9_WORKLOAD_IDENTITY", "true"), ("B", "")],
        );
        assert_eq!(
            (off.workload_identity, off.static_cache_duration.as_secs()),
            (false, 60)
        );
        assert!(
            kubelet("[kubelet]\nworkload_identity = true", NONE)
                .unwrap()
                .workload_identity
        );
        assert!(
            kubelet("[kubelet]\nworkload_identity = false", on)
                .unwrap()
                .workload_identity
        );
        assert!(
            kubelet("[kubelet]\nstatic_cache_duration = \"0\"", NONE)
                .unwrap()
                .static_cache_duration
                .is_zero()
        );
        let provider = |text: &str| {
            let rule =
                format!("[[registry]]\nhost = \"gcr.io\"\nworkload_identity_provider = \"{text}\"");
            Ok::<_, String>(
                load(&rule, "", NONE)?.rules()[0]
                    .cloud
                    .workload_identity_provider
                    .clone()
                    .unwrap(),
            )
        };
        let full =
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";
        assert_eq!(provider(full).unwrap(), full);
        assert_eq!(
            provider(&full["//iam.googleapis.com/".len()..]).unwrap(),
            full
        );
        let gke = "identitynamespace:p.svc.id.goog:https://container.googleapis.com/v1/projects/p/locations/l/clusters/c";
        assert_eq!(provider(gke).unwrap(), gke);
        for wrong in [
            "https://evil.example/projects/1/workloadIdentityPools/p",
            "pool",
            "projects/1/x y/workloadIdentityPools/",
        ] {
            assert!(
                provider(wrong)
                    .unwrap_err()
                    .contains("\"registry.workload_identity_provider\" is not a provider"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_path_has_a_say_where_a_rule_of_the_host_has_one() {
        let config = load(
            "[[registry]]\nhost = \"*.example.com/team\"\n[[registry]]\nhost = \"ghcr.io\"",
            "",
            NONE,
        )
        .unwrap();
        let depends =
            |host: &str| config.rules_depend_on_path(&Host::parse(host.as_bytes()).unwrap());
        assert!(depends("r.example.com") && !depends("r.example.com:5000") && !depends("ghcr.io"));
    }

    #[test]
    fn whatever_is_wrong_is_named_with_its_file_and_its_neighbour() {
        let table = [
            (
                "workspce = 1",
                "configuration ~/system.toml: unknown key \"workspce\" at the top level; did you mean \"workspace\"?",
            ),
            (
                "[store]\nkid = 1",
                "configuration ~/system.toml: unknown key \"kid\" in [store]; did you mean \"kind\"?",
            ),
            (
                "[[registry]]\nhost = \"a.b\"\nalias = 1",
                "configuration ~/system.toml: unknown key \"alias\" in [registry]; did you mean \"alias_of\"?",
            ),
            (
                "[[registry]]\nbackend = \"aws\"",
                "configuration ~/system.toml: a [[registry]] has no \"host\"; add host = \"…\" to it",
            ),
            (
                "timeout = \"soon\"",
                "configuration ~/system.toml: \"timeout\" is not a duration such as \"10s\" or \"15m\"; correct it",
            ),
            (
                "ambient = [\"aws\", \"google\"]",
                "configuration ~/system.toml: \"ambient\" is not true, false or a list of \"aws\", \"gcp\" and \"azure\"; correct it",
            ),
            (
                "store = 1",
                "configuration ~/system.toml: \"store\" is not a table; correct it",
            ),
            (
                "[store.file]\npath = \"here\"",
                "configuration ~/system.toml: \"store.file.path\" is not an absolute path; correct it",
            ),
        ];
        for (text, message) in table {
            assert_eq!(load(text, "", NONE).unwrap_err(), message);
        }
        let broken = load("a = hunter2", "", NONE).unwrap_err();
        assert!(
            broken.starts_with("configuration ~/system.toml: line 1: ")
                && !broken.contains("hunter2"),
            "{broken}"
        );
        let variable = load("", "", [("BETA9_TIMEOUT", "soon"), ("B", "")]).unwrap_err();
        assert_eq!(
            variable,
            "BETA9_TIMEOUT: it is not a duration such as 10s; correct it, or unset it"
        );
    }
}
