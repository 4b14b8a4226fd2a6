//! The keys of a secret that CLIP can use, which reads images on Beta9's workers. Writers of secrets add them.
//!
//! CLIP uses a pair of `X_USERNAME` and `X_PASSWORD`, three vendors' tokens, AWS keys with their region, and Google's
//! access token (`pkg/common/provider.go` in the clip repository). It can't mint from anything else.

use super::Choice;
use crate::backend::{Backend, GCP_KEYS, User, ecr_region, is_ecr_public};
use crate::credential::Redacted;
use crate::host::Host;
use crate::keys::Keys;

/// The keys to write into a secret.
#[derive(Debug)]
pub struct Written {
    /// The keys that the login needs, and those that CLIP reads.
    pub keys: Keys,
    /// Whether CLIP can log in with them.
    pub is_for_clip: bool,
}

/// The keys to write into this registry's secret: those of the `given` keys that `choice` uses, and those that CLIP
/// reads.
pub fn written(host: &Host, choice: &Choice, given: &Keys) -> Written {
    if let Some(login) = Login::of(choice, given) {
        return Written {
            keys: login.readable(host, given),
            is_for_clip: true,
        };
    }
    let mut keys = given.only(|name| match choice.backend {
        Backend::Aws => name.starts_with("AWS_"),
        Backend::Azure => name.starts_with("AZURE_"),
        _ => GCP_KEYS.contains(&name),
    });
    // The host accepts only tokens of the region in its name.
    if let (Backend::Aws, Some(region)) = (choice.backend, ecr_region(host)) {
        keys = keys.with(REGION, region.into());
    }
    let is_for_clip = match choice.backend {
        Backend::Aws => keys.has(REGION) && !keys.has("AWS_ROLE_ARN") && !is_ecr_public(host),
        _ => keys.has(GCP_KEYS[0]),
    };
    Written { keys, is_for_clip }
}

/// A user name and a password that are sent as they are.
struct Login<'k> {
    /// The names of the given keys with the password and, if there is one, the user name.
    names: Vec<&'k str>,
    username: &'k str,
    password: &'k Redacted,
}

impl<'k> Login<'k> {
    fn of(choice: &'k Choice, given: &'k Keys) -> Option<Self> {
        let pair = given
            .pairs()
            .find(|pair| given.of_pair(*pair) == choice.keys);
        if let Some(pair) = pair {
            let (username, password) = (given.get(pair.user)?.expose(), given.get(pair.password)?);
            return Some(Self {
                names: vec![pair.user, pair.password],
                username,
                password,
            });
        }
        let Backend::Fixed { user, secret } = choice.backend else {
            return None;
        };
        let (username, password) = choice.backend.plain(&choice.keys)?;
        let names = if let User::Key(user) = user {
            vec![user, secret]
        } else {
            vec![secret]
        };
        Some(Self {
            names,
            username,
            password,
        })
    }

    /// The login's keys if CLIP understands them; else with the pair that CLIP always reads.
    fn readable(&self, host: &Host, given: &Keys) -> Keys {
        let keys = given.only(|name| self.names.contains(&name));
        let token = TOKENS.iter().find(|(name, _)| self.names.contains(name));
        if token.is_some_and(|(_, home)| host.as_str().contains(home))
            || (token.is_none() && self.is_pair())
        {
            return keys;
        }
        // At any other registry, CLIP sends such a token with its own user name, whatever the other keys.
        let keys = if token.is_some() {
            Keys::default()
        } else {
            keys
        };
        keys.with(USERNAME, self.username.into())
            .with(PASSWORD, self.password.clone())
    }

    /// Whether CLIP recognises the user name and the password, which it does by these words.
    fn is_pair(&self) -> bool {
        let has = |name: &str, word| name.to_ascii_uppercase().contains(word);
        let [user, password] = self.names[..] else {
            return false;
        };
        has(user, USERNAME)
            && !has(user, PASSWORD)
            && has(password, PASSWORD)
            && !has(password, USERNAME)
    }
}

/// The tokens that CLIP knows, and the registry whose user name it uses with each.
const TOKENS: [(&str, &str); 3] = [
    ("NGC_API_KEY", "nvcr.io"),
    ("GITHUB_TOKEN", "ghcr.io"),
    ("DOCKERHUB_TOKEN", "docker.io"),
];
const REGION: &str = "AWS_REGION";
const USERNAME: &str = "USERNAME";
const PASSWORD: &str = "PASSWORD";
