//! Keys that belong together: a user name and its password, and vendors' pairs with other names.

use super::{Keys, KeysError};

/// `X_USERNAME` and `X_PASSWORD`, both present: a user name and a password, whatever the prefix.
#[derive(Clone, Copy, Debug)]
pub struct UserPassword<'k> {
    /// The name of the key that holds the user name.
    pub user: &'k str,
    /// The name of the key that holds the password.
    pub password: &'k str,
}

impl Keys {
    /// Every complete pair of `X_USERNAME` and `X_PASSWORD`, with any prefix or none, in upper or lower case.
    pub fn pairs(&self) -> impl Iterator<Item = UserPassword<'_>> {
        self.names().filter_map(|user| {
            let password = self.named(&[prefix(user, USERNAME)?, PASSWORD].concat())?;
            Some(UserPassword { user, password })
        })
    }

    /// The keys of one pair, renamed to those that every registry accepts.
    pub fn of_pair(&self, pair: UserPassword) -> Self {
        let text = |name| self.get(name).cloned().unwrap_or_default();
        Self::user_password(text(pair.user).expose().to_owned(), text(pair.password))
    }

    /// Fails if a pair is incomplete; the error names both keys.
    pub fn check_pairs(&self) -> Result<(), KeysError> {
        self.names().try_for_each(|name| {
            let partners = partners(name);
            if partners.is_empty() || partners.iter().any(|partner| self.named(partner).is_some()) {
                return Ok(());
            }
            Err(KeysError::HalfPair {
                present: name.to_owned(),
                missing: partners,
            })
        })
    }

    /// Whether both keys are present.
    pub fn has_both(&self, user: &str, secret: &str) -> bool {
        self.has(user) && self.has(secret)
    }

    /// The key of this name, preferably in this case.
    fn named(&self, wanted: &str) -> Option<&str> {
        let exact = self
            .texts
            .get_key_value(wanted)
            .map(|(name, _)| name.as_str());
        exact.or_else(|| self.names().find(|name| name.eq_ignore_ascii_case(wanted)))
    }
}

impl UserPassword<'_> {
    /// Whether `name` is one of the pair's keys.
    pub fn has(&self, name: &str) -> bool {
        [self.user, self.password].contains(&name)
    }

    /// Whether the pair has this prefix.
    pub fn has_prefix(&self, wanted: &str) -> bool {
        prefix(self.user, USERNAME).is_some_and(|prefix| prefix.eq_ignore_ascii_case(wanted))
    }
}

/// The keys that would complete this one; any is enough. Empty if it needs no other.
fn partners(name: &str) -> Vec<String> {
    let user = prefix(name, PASSWORD).map(|prefix| [prefix, USERNAME].concat());
    let password = prefix(name, USERNAME).map(|prefix| [prefix, PASSWORD].concat());
    let vendors = PAIRS.iter().flat_map(|(user, secret)| {
        [
            user.eq_ignore_ascii_case(name).then_some(*secret),
            secret.eq_ignore_ascii_case(name).then_some(*user),
        ]
        .into_iter()
        .flatten()
    });
    user.into_iter()
        .chain(password)
        .chain(vendors.map(str::to_owned))
        .collect()
}

/// The part of a name before its ending.
fn prefix<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let (prefix, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(prefix)
}

const USERNAME: &str = "USERNAME";
const PASSWORD: &str = "PASSWORD";
/// Vendors' pairs other than `X_USERNAME` and `X_PASSWORD`.
const PAIRS: [(&str, &str); 9] = [
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    ("DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"),
    ("GITHUB_USERNAME", "GITHUB_TOKEN"),
    ("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"),
    ("GITLAB_USERNAME", "GITLAB_TOKEN"),
    ("OCI_USERNAME", "OCI_AUTH_TOKEN"),
    ("JFROG_USERNAME", "JFROG_ACCESS_TOKEN"),
    ("HF_USERNAME", "HF_TOKEN"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Keys {
        let mut keys = Keys::default();
        for name in names {
            keys.insert(name, "hunter2".into()).unwrap();
        }
        keys
    }

    #[test]
    fn half_of_any_pair_is_an_error_that_names_both() {
        for (user, secret) in PAIRS.into_iter().chain([
            ("USERNAME", "PASSWORD"),
            ("HARBOR_USERNAME", "HARBOR_PASSWORD"),
        ]) {
            for (present, missing) in [(user, secret), (secret, user)] {
                let error = keys(&[present]).check_pairs().unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("{present} is set without "))
                        && error.contains(missing),
                    "{error}"
                );
                assert!(!error.contains("hunter2"), "{error}");
            }
            assert_eq!(keys(&[user, secret]).check_pairs(), Ok(()));
        }
        assert_eq!(
            keys(&[
                "DOCKERHUB_USERNAME",
                "DOCKERHUB_PASSWORD",
                "DOCKERHUB_TOKEN"
            ])
            .check_pairs(),
            Ok(())
        );
    }

    #[test]
    fn a_user_name_and_a_password_go_together_by_their_prefix_in_any_case() {
        let table: &[(&[&str], &[(&str, &str)])] = &[
            (&["USERNAME", "PASSWORD"], &[("USERNAME", "PASSWORD")]),
            (&["username", "password"], &[("username", "password")]),
            (
                &["My_Username", "MY_PASSWORD"],
                &[("My_Username", "MY_PASSWORD")],
            ),
            (&["A_USERNAME", "B_PASSWORD"], &[]),
            (&["A_USERNAME", "A_TOKEN"], &[]),
            (
                &["A_PASSWORD", "A_USERNAME", "PASSWORD"],
                &[("A_USERNAME", "A_PASSWORD")],
            ),
            (
                &["\u{e9}USERNAME", "\u{e9}PASSWORD"],
                &[("\u{e9}USERNAME", "\u{e9}PASSWORD")],
            ),
        ];
        for (names, expected) in table {
            let keys = keys(names);
            let pairs: Vec<_> = keys
                .pairs()
                .map(|pair| (pair.user, pair.password))
                .collect();
            assert_eq!(pairs, *expected, "{names:?}");
        }
    }
}
