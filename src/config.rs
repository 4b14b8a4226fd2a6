//! `Config`: the configuration files and the environment, read once. Nothing else reads either.

mod address;
mod ambient;
mod audit;
mod cache;
mod env;
mod errors;
mod file;
mod ini;
mod key;
mod kubelet;
mod node;
mod options;
mod request;
mod rule;
mod sdk;
mod stores;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use address::Address;
pub use ambient::Ambient;
pub use audit::AuditConfig;
pub use cache::CacheConfig;
pub use env::{Authorities, Env, ForeignHome, ProxyVariables};
pub use key::KeyPlace;
pub use kubelet::KubeletConfig;
pub use node::Node;
use options::{Options, Registry, Source};
pub use request::{Pulled, Request};
pub use rule::{CloudSettings, Rule};
pub use sdk::Endpoint;
pub use stores::{GatewayConfig, PostgresConfig, SecretSetting, TokenSource, WorkerConfig};
pub use stores::{Singles, StoreKind};

use crate::error::Error;
use crate::host::Host;
use crate::log::Log;
use crate::trusted::{self, Reader};
use errors::ConfigError;

/// All settings, validated.
#[derive(Debug)]
pub struct Config {
    /// The workspace whose secrets are used. Keys, cache entries and files are bound to it.
    pub workspace: String,
    /// How long a `get` may take in total.
    pub timeout: Duration,
    /// How long a `list` waits for a remote store before the store's last answer is used.
    pub list_timeout: Duration,
    /// The clouds for which the node's own identity may be used, unless a rule says otherwise.
    pub ambient: Ambient,
    /// The workspace store.
    pub store: StoreKind,
    /// Which single workspace secrets are used without being named.
    pub singles: Singles,
    /// The directory of the embedded store's entries; `None` if there is no home directory.
    pub file_path: Option<PathBuf>,
    /// Where the embedded store's sealing key is.
    pub file_key: KeyPlace,
    /// Settings of the gateway store.
    pub gateway: GatewayConfig,
    /// Settings of the worker store.
    pub worker: WorkerConfig,
    /// Settings of the postgres store.
    pub postgres: PostgresConfig,
    /// Where minted tokens are kept, and how many.
    pub cache: CacheConfig,
    /// The same for tokens that must not touch a disk. Off without a directory.
    pub memory_cache: CacheConfig,
    /// Settings for kubelet's credential provider.
    pub kubelet: KubeletConfig,
    /// What came with this request in the environment.
    pub request: Request,
    /// Where the node's identity is configured.
    pub node: Node,
    /// The audit log, if one is configured.
    pub audit: Option<AuditConfig>,
    /// The debug log.
    pub log: Log,
    /// `HOME`, if it belongs to another user and is therefore ignored.
    pub foreign_home: Option<ForeignHome>,
    /// The configuration files that were read.
    pub files: Vec<PathBuf>,
    rules: Vec<Rule>,
}

impl Config {
    /// Reads `BETA9_CREDENTIAL_CONFIG`, or else the user's file over the system's. The environment overrides both.
    /// Fails if a file cannot be read, is not trusted or has an invalid setting.
    pub fn load(env: &Env) -> Result<Self, Error> {
        Self::load_with(env, Path::new(SYSTEM_FILE))
    }

    fn load_with(env: &Env, system_file: &Path) -> Result<Self, Error> {
        let step = env.log().step();
        let named = env.path("BETA9_CREDENTIAL_CONFIG")?;
        let mut sources: Vec<(PathBuf, Reader)> = Vec::new();
        if let Some(path) = &named {
            sources.push((path.clone(), trusted::read));
        } else {
            sources.push((system_file.to_owned(), trusted::read_system));
            let user_dir = env.xdg("XDG_CONFIG_HOME", ".config");
            sources.extend(user_dir.map(|dir| (dir.join(USER_FILE), trusted::read as Reader)));
        }
        let (mut options, mut files) = (Options::default(), Vec::new());
        for (path, read) in sources {
            if let Some(above) = Options::from_file(&path, read)? {
                options.merge(above);
                files.push(path);
            } else if let Some(path) = &named {
                let missing = ConfigError::Missing {
                    part: "BETA9_CREDENTIAL_CONFIG".to_owned(),
                    path: path.clone(),
                    fix: "correct or unset it",
                };
                return Err(missing.into());
            }
        }
        let config = Self::from_options(options, env, files)?;
        let (files, workspace, store) = (&config.files, &config.workspace, config.store.name());
        env.log().done(
            step,
            format_args!("config: {files:?} read; workspace {workspace}, {store} store"),
        );
        Ok(config)
    }

    /// Merges the files' options with the environment, which overrides them, and the defaults.
    fn from_options(mut options: Options, env: &Env, files: Vec<PathBuf>) -> Result<Self, Error> {
        let above = Options::of_environment(env)?;
        let token_source = if above.store.gateway.has_either() {
            TokenSource::Environment
        } else {
            TokenSource::Configuration
        };
        options.merge(above);
        let Options { store, .. } = options;
        // The default isn't a workspace's id, so writing it out is the same as setting none.
        let workspace = options
            .workspace
            .unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned());
        let configured = Some(workspace.clone()).filter(|name| name != DEFAULT_WORKSPACE);
        let data = env.xdg("XDG_DATA_HOME", ".local/share");
        let file_path = store
            .file
            .path
            .or_else(|| data.map(|data| data.join("beta9/credentials")));
        let gateway = store.gateway.into_config(env, configured, token_source)?;
        let mut rules: Vec<Rule> = options
            .registry
            .into_iter()
            .map(Registry::into_rule)
            .collect::<Result<_, _>>()?;
        rules.sort_by_key(|rule| rule.host.specificity());
        let (cache, memory_cache) = options.cache.into_configs(env);
        Ok(Self {
            workspace,
            timeout: options.timeout.unwrap_or(DEFAULT_TIMEOUT),
            list_timeout: options.list_timeout.unwrap_or(DEFAULT_LIST_TIMEOUT),
            ambient: options.ambient.unwrap_or_default(),
            store: store.kind.unwrap_or_default(),
            singles: store.single_secrets.unwrap_or_default(),
            file_key: KeyPlace::find(store.file.key_file, env, file_path.as_deref())?,
            file_path,
            worker: store.worker.into_config(env, &gateway.environment)?,
            gateway,
            postgres: store.postgres.into_config(),
            cache,
            memory_cache,
            kubelet: options.kubelet.into_config(),
            node: Node::read(env)?,
            audit: options.audit.into_config(),
            log: env.log().clone(),
            foreign_home: env.foreign_home().cloned(),
            request: Request::from_env(env)?,
            files,
            rules,
        })
    }

    /// The same configuration for the control plane's own keys, which are in the embedded store. That store has no
    /// single secrets, and no request brings keys.
    pub fn of_own_keys(mut self) -> Self {
        self.store = StoreKind::File;
        self.request = Request::default();
        for rule in &mut self.rules {
            rule.secrets = None;
        }
        self
    }

    /// The most specific rule about this host and path.
    pub fn rule(&self, host: &Host, path: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.host.matches(host, path))
    }

    /// Whether the path below this host affects which rule applies.
    pub fn rules_depend_on_path(&self, host: &Host) -> bool {
        self.rules
            .iter()
            .any(|rule| !rule.host.path().is_empty() && rule.host.matches(host, rule.host.path()))
    }

    /// All rules, most specific first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

const SYSTEM_FILE: &str = "/etc/beta9/credential-helper.toml";
const USER_FILE: &str = "beta9/credential-helper.toml";
/// The workspace if none is configured.
pub const DEFAULT_WORKSPACE: &str = "default";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Short, because shell completion may be waiting for the list.
const DEFAULT_LIST_TIMEOUT: Duration = Duration::from_secs(2);

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
    fn a_value_of_another_kind_is_named_by_its_key_whatever_covers_it() {
        let table = [
            ("cache = [true]", "\"cache\" is not a table; correct it"),
            (
                "registry = 1",
                "\"registry\" is not written [[registry]]; correct it",
            ),
            (
                "registry = [1]",
                "\"registry\" is not written [[registry]]; correct it",
            ),
            (
                "[registry]",
                "\"registry\" is not written [[registry]]; correct it",
            ),
            ("workspace = 1", "\"workspace\" is not a text; correct it"),
            ("workspace.a = 1", "\"workspace\" is not a text; correct it"),
            (
                "[cache]\nenabled = \"true\"",
                "\"cache.enabled\" is not true or false; correct it",
            ),
            (
                "[audit]\nkeep = -1",
                "\"audit.keep\" is not a whole number; correct it",
            ),
            (
                "[audit]\nkeep = 1.0",
                "\"audit.keep\" is not a whole number; correct it",
            ),
            (
                "timeout = 5",
                "\"timeout\" is not a duration such as \"10s\" or \"15m\"; correct it",
            ),
            (
                "[store]\nkind = \"redis\"",
                "\"store.kind\" is not one of \"file\", \"gateway\", \"worker\" or \"postgres\"; correct it",
            ),
            (
                "[[registry]]\nhost = \"a.b\"\nsecrets = [\"\"]",
                "\"registry.secrets\" is not a list of names such as [\"A\", \"B\"]; correct it",
            ),
            (
                "[store.gateway]\ntoken = \"a\"\ntoken_file = \"/a\"",
                "\"token\" and \"token_file\" are both set; remove one of them",
            ),
            (
                "[[registry]]\nhost = \"a.b\"\nsecret = \"a\"\nsecrets = [\"a\"]",
                "the rule for a.b has both \"secret\" and \"secrets\"; remove one of them",
            ),
            (
                "colour = 1",
                "unknown key \"colour\" at the top level; remove it",
            ),
            (
                "[store.file]\nmode = 1",
                "unknown key \"mode\" in [store.file]; remove it",
            ),
        ];
        for (text, message) in table {
            let expected = format!("configuration ~/system.toml: {message}");
            assert_eq!(load(text, "workspace = \"u\"", NONE).unwrap_err(), expected);
        }
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
