//! What CLIP, which reads images on Beta9's workers, can use of a secret: a writer adds what CLIP reads.
//!
//! CLIP takes a pair of `X_USERNAME` and `X_PASSWORD`, three vendors' tokens, AWS keys with their region and Google's access
//! token (`pkg/common/provider.go` in the clip repository). It mints from nothing else.

use super::Choice;
use crate::backend::{Backend, GCP_KEYS, User, ecr_region, is_ecr_public};
use crate::credential::Redacted;
use crate::host::Host;
use crate::keys::Keys;

/// The keys that go into a secret.
#[derive(Debug)]
pub struct Written {
    /// Those of the keys at hand that the login needs, and what CLIP reads beside them.
    pub keys: Keys,
    /// Whether CLIP can log in with them.
    pub is_for_clip: bool,
}

/// What goes into a secret for this registry: of the `given` keys those that `choice` was made of, and what CLIP reads.
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
    // The region that the host names is the one whose tokens it takes.
    if let (Backend::Aws, Some(region)) = (choice.backend, ecr_region(host)) {
        keys = keys.with(REGION, region.into());
    }
    let is_for_clip = match choice.backend {
        Backend::Aws => keys.has(REGION) && !keys.has("AWS_ROLE_ARN") && !is_ecr_public(host),
        _ => keys.has(GCP_KEYS[0]),
    };
    Written { keys, is_for_clip }
}

/// A user name and a password that are shown as they are.
struct Login<'k> {
    /// The names of the given keys that hold the user name, where one does, and the password.
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

    /// Its keys, where CLIP reads them as this login; else with the pair that CLIP always reads.
    fn readable(&self, host: &Host, given: &Keys) -> Keys {
        let keys = given.only(|name| self.names.contains(&name));
        let token = TOKENS.iter().find(|(name, _)| self.names.contains(name));
        if token.is_some_and(|(_, home)| host.as_str().contains(home))
            || (token.is_none() && self.is_pair())
        {
            return keys;
        }
        // Anywhere else CLIP shows such a token with a user name of its own, whatever stands beside it.
        let keys = if token.is_some() {
            Keys::default()
        } else {
            keys
        };
        keys.with(USERNAME, self.username.into())
            .with(PASSWORD, self.password.clone())
    }

    /// Whether CLIP tells the user name and the password apart, which it does by these words.
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

/// The tokens that CLIP knows, and the registry whose user name it knows with each.
const TOKENS: [(&str, &str); 3] = [
    ("NGC_API_KEY", "nvcr.io"),
    ("GITHUB_TOKEN", "ghcr.io"),
    ("DOCKERHUB_TOKEN", "docker.io"),
];
const REGION: &str = "AWS_REGION";
const USERNAME: &str = "USERNAME";
const PASSWORD: &str = "PASSWORD";
