//! The pairs of keys that go together.

use super::{Keys, KeysError};

/// A user name (or id) and the keys any one of which completes it.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The public half.
    pub user: &'static str,
    /// The secret half: one of these.
    pub secrets: &'static [&'static str],
}

impl Pair {
    /// An error that names both halves when only one of them is there.
    pub fn check(&'static self, keys: &Keys) -> Result<(), KeysError> {
        let secret = self.secrets.iter().find(|secret| keys.has(secret));
        match (keys.has(self.user), secret) {
            (true, None) => Err(KeysError::HalfPair { present: self.user, missing: self.secrets }),
            (false, Some(present)) => Err(KeysError::HalfPair { present, missing: std::slice::from_ref(&self.user) }),
            _ => Ok(()),
        }
    }
}

/// Every pair that users pass. What a vendor takes under a fixed user name (`NGC_API_KEY`) has no partner.
pub const PAIRS: &[Pair] = &[
    Pair { user: "AWS_ACCESS_KEY_ID", secrets: &["AWS_SECRET_ACCESS_KEY"] },
    Pair { user: "AZURE_CLIENT_ID", secrets: &["AZURE_CLIENT_SECRET"] },
    Pair { user: "DOCKERHUB_USERNAME", secrets: &["DOCKERHUB_PASSWORD", "DOCKERHUB_TOKEN"] },
    Pair { user: "DOCKER_USERNAME", secrets: &["DOCKER_PASSWORD"] },
    Pair { user: "GITHUB_USERNAME", secrets: &["GITHUB_TOKEN"] },
    Pair { user: "QUAY_USERNAME", secrets: &["QUAY_PASSWORD"] },
    Pair { user: "CI_DEPLOY_USER", secrets: &["CI_DEPLOY_PASSWORD"] },
    Pair { user: "GITLAB_USERNAME", secrets: &["GITLAB_TOKEN"] },
    Pair { user: "OCI_USERNAME", secrets: &["OCI_AUTH_TOKEN"] },
    Pair { user: "REDHAT_USERNAME", secrets: &["REDHAT_PASSWORD"] },
    Pair { user: "CHAINGUARD_USERNAME", secrets: &["CHAINGUARD_PASSWORD"] },
    Pair { user: "JFROG_USERNAME", secrets: &["JFROG_ACCESS_TOKEN", "JFROG_PASSWORD"] },
    Pair { user: "HF_USERNAME", secrets: &["HF_TOKEN"] },
    Pair { user: "ALIBABA_CLOUD_CR_USERNAME", secrets: &["ALIBABA_CLOUD_CR_PASSWORD"] },
    Pair { user: "TENCENT_TCR_USERNAME", secrets: &["TENCENT_TCR_PASSWORD"] },
    Pair { user: "USERNAME", secrets: &["PASSWORD"] },
    Pair { user: "REGISTRY_USERNAME", secrets: &["REGISTRY_PASSWORD"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_half_of_any_pair_is_an_error_that_names_both() {
        for pair in PAIRS {
            for &secret in pair.secrets {
                let only = |name: &str| {
                    let mut keys = Keys::default();
                    keys.insert(name, "hunter2".into()).unwrap();
                    keys
                };
                for half in [pair.user, secret] {
                    let error = only(half).check_pairs().unwrap_err().to_string();
                    assert!(
                        error.contains(pair.user) && pair.secrets.iter().any(|name| error.contains(name)),
                        "{error}"
                    );
                    assert!(!error.contains("hunter2"));
                }
                let mut both = only(pair.user);
                both.insert(secret, "s".into()).unwrap();
                assert_eq!(both.check_pairs(), Ok(()));
            }
        }
    }
}
