//! A pod's service account at Google: its token is exchanged for a federated one at the provider that the operator
//! names, and then for a token of the Google service account in the pod's annotation, if there is one.
//!
//! <https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes>

use super::PART;
use super::document::{ActsAs, Base, External, Identity, Source};
use super::errors::GcpError;
use crate::config::CloudSettings;
use crate::error::Error;
use crate::service_account::ServiceAccount;
use crate::token::Scope;

/// Whether this account should log in: the operator's provider accepts every service account of the cluster, or the
/// account has the annotation.
pub(crate) fn is_for_pod(account: &ServiceAccount, settings: &CloudSettings) -> bool {
    settings.workload_identity_provider.is_some() || account.annotation(ANNOTATION).is_some()
}

/// The pod's identity, and the account to impersonate. A tenant wrote the annotation; Google's IAM decides whether the
/// pod may use that account.
pub(super) fn identity(
    account: &ServiceAccount,
    settings: &CloudSettings,
) -> Result<Identity, Error> {
    let audience = settings
        .workload_identity_provider
        .clone()
        .ok_or_else(|| GcpError::NoProvider(account.to_string()))?;
    let acts_as = account.annotation(ANNOTATION).map(|email| {
        if is_email(email) {
            return Ok(ActsAs {
                url: format!("{IMPERSONATION}{email}:generateAccessToken"),
                delegates: Vec::new(),
            });
        }
        let fix = "set it to an e-mail such as puller@project.iam.gserviceaccount.com";
        Err(account.wrong_annotation(PART, ANNOTATION, "isn't a Google service account", fix))
    });
    let base = Base::External(External {
        audience,
        subject_token_type: JWT.to_owned(),
        token_url: TOKEN_URL.to_owned(),
        client: None,
        user_project: None,
        source: Source::Pod {
            token: account.token().clone(),
        },
    });
    Ok(Identity {
        origin: format!("the service account {account}"),
        base,
        acts_as: acts_as.transpose()?.into_iter().collect(),
    })
}

pub(super) fn scope(account: &ServiceAccount, settings: &CloudSettings) -> Scope {
    let provider = settings
        .workload_identity_provider
        .as_deref()
        .unwrap_or_default();
    Scope::new(format!("service account {account}"), account.describe())
        .with([format!("provider={provider}")])
}

/// Whether this is a service account's e-mail. It goes into a URL's path, so it must be one name and one Google domain.
fn is_email(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= 253
        && label(name)
        && domain.ends_with(".gserviceaccount.com")
        && domain.split('.').all(label)
}

/// <https://docs.cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#kubernetes-sa-to-iam>
const ANNOTATION: &str = "iam.gke.io/gcp-service-account";
const TOKEN_URL: &str = "https://sts.googleapis.com/v1/token";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_account::tests::test_account;

    const PROVIDER: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";

    fn settings(provider: Option<&str>) -> CloudSettings {
        CloudSettings {
            workload_identity_provider: provider.map(str::to_owned),
            ..CloudSettings::default()
        }
    }

    #[test]
    fn the_provider_is_the_operators_and_the_account_the_annotations() {
        let (plain, annotated) = (
            test_account(&[]),
            test_account(&[(ANNOTATION, "a-b@p.iam.gserviceaccount.com")]),
        );
        assert!(!is_for_pod(&plain, &settings(None)));
        assert!(
            is_for_pod(&plain, &settings(Some(PROVIDER)))
                && is_for_pod(&annotated, &settings(None))
        );
        let identity = super::identity(&annotated, &settings(Some(PROVIDER))).unwrap();
        let Base::External(external) = &identity.base else {
            panic!()
        };
        assert_eq!(
            (external.audience.as_str(), external.token_url.as_str()),
            (PROVIDER, TOKEN_URL)
        );
        assert_eq!(
            identity.acts_as[0].url,
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a-b@p.iam.gserviceaccount.com:generateAccessToken"
        );
        assert!(
            super::identity(&plain, &settings(Some(PROVIDER)))
                .unwrap()
                .acts_as
                .is_empty()
        );
        let error = super::identity(&annotated, &settings(None))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pulls/puller asks for workload identity, and no provider is set"),
            "{error}"
        );
        assert_ne!(
            scope(&plain, &settings(None)),
            scope(&plain, &settings(Some(PROVIDER)))
        );
    }

    #[test]
    fn an_annotation_that_is_not_a_service_accounts_e_mail_goes_nowhere() {
        for email in [
            "hunter2",
            "a@evil.example",
            "a@gserviceaccount.com",
            "a@p.iam.gserviceaccount.com.evil.example",
            "a@p.iam.gserviceaccount.com/../b@p.iam.gserviceaccount.com",
            "a@evil.example/x.gserviceaccount.com",
            "a/b@p.iam.gserviceaccount.com",
            "a%2fb@p.iam.gserviceaccount.com",
            "a@b@p.iam.gserviceaccount.com",
            "a:x@p.iam.gserviceaccount.com",
            "a?x=@p.iam.gserviceaccount.com",
            "a@p..gserviceaccount.com",
            "A@p.iam.gserviceaccount.com",
            "hunter2\n@p.iam.gserviceaccount.com",
        ] {
            let error = super::identity(
                &test_account(&[(ANNOTATION, email)]),
                &settings(Some(PROVIDER)),
            )
            .unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(
                    "of the service account pulls/puller isn't a Google service account;"
                ),
                "{text}"
            );
            assert!(!text.contains(email), "{text}");
        }
    }
}
