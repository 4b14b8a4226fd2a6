//! What CLIP reads of a secret, rule by rule as its `pkg/common/provider.go` has it (of May 2026), faults and all:
//! `ParseCredentialsFromJSON`, `DetectCredentialType` and `CreateProviderFromCredentials`. `tests/real/parts/clip.sh` asks the
//! real one.

use std::collections::BTreeMap;

use beta9_credential::json::{self, Value};

/// What CLIP would log in with.
#[derive(Debug, PartialEq, Eq)]
pub enum Clip {
    Pair(String, String),
    /// A token of this region's ECR, whatever the registry is.
    Ecr(String),
    Nothing,
}

impl Clip {
    pub fn pair(username: &str, password: &str) -> Self {
        Self::Pair(username.into(), password.into())
    }

    pub fn reads(registry: &str, secret: &str) -> Self {
        let object = json::parse_object(secret.as_bytes()).unwrap();
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let inner = match object.get("credentials") {
            Some(Value::Object(map)) => map.iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        for (name, value) in inner.into_iter().chain(object.iter()) {
            if let Value::Text(text) = value {
                keys.insert(name.into(), text.expose().into());
            }
        }
        let registry = registry.to_lowercase();
        let has = |name: &str| keys.contains_key(name);
        let get = |name: &str| keys.get(name).cloned().unwrap_or_default();
        let any = |part: &str| {
            keys.iter()
                .find(|(name, _)| name.to_uppercase().contains(part))
        };
        if has("AWS_ACCESS_KEY_ID") && has("AWS_SECRET_ACCESS_KEY") {
            return if get("AWS_REGION").is_empty() {
                Self::Nothing
            } else {
                Self::Ecr(get("AWS_REGION"))
            };
        }
        if [
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GCP_PROJECT_ID",
            "GCP_ACCESS_TOKEN",
        ]
        .iter()
        .any(|name| has(name))
        {
            let token = get("GCP_ACCESS_TOKEN");
            return if token.is_empty() {
                Self::Nothing
            } else {
                Self::pair("oauth2accesstoken", &token)
            };
        }
        if has("AZURE_CLIENT_ID") && has("AZURE_CLIENT_SECRET") {
            return Self::Nothing;
        }
        if ["NGC_API_KEY", "GITHUB_TOKEN", "DOCKERHUB_TOKEN"]
            .iter()
            .any(|name| has(name))
        {
            return Self::of_token(&registry, get);
        }
        let (Some(user), Some(password)) = (any("USERNAME"), any("PASSWORD")) else {
            return Self::Nothing;
        };
        let first = |end: &str, other: &String| {
            let known = ["REGISTRY_", "DOCKER_", ""]
                .iter()
                .map(|prefix| get(&format!("{prefix}{end}")));
            known
                .into_iter()
                .find(|value| !value.is_empty())
                .unwrap_or_else(|| other.clone())
        };
        Self::Pair(first("USERNAME", user.1), first("PASSWORD", password.1))
    }

    fn of_token(registry: &str, get: impl Fn(&str) -> String) -> Self {
        let or = |first: String, second: String| if first.is_empty() { second } else { first };
        let (ngc, github, hub) = (
            get("NGC_API_KEY"),
            get("GITHUB_TOKEN"),
            get("DOCKERHUB_TOKEN"),
        );
        if registry.contains("nvcr.io") && !ngc.is_empty() {
            return Self::pair("$oauthtoken", &ngc);
        }
        if registry.contains("ghcr.io") && !github.is_empty() {
            return Self::Pair(
                or(or(get("GITHUB_USERNAME"), get("USERNAME")), github.clone()),
                github,
            );
        }
        if registry.contains("docker.io") {
            let (user, password) = (get("DOCKERHUB_USERNAME"), get("DOCKERHUB_PASSWORD"));
            if !user.is_empty() && !password.is_empty() {
                return Self::Pair(user, password);
            }
            if !hub.is_empty() {
                return Self::Pair(or(user, get("USERNAME")), hub);
            }
        }
        if !ngc.is_empty() {
            return Self::pair("$oauthtoken", &ngc);
        }
        if !github.is_empty() {
            return Self::pair("oauth2accesstoken", &github);
        }
        Self::Pair(or(get("USERNAME"), "oauth2accesstoken".into()), hub)
    }
}
