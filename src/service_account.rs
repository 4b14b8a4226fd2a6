//! `ServiceAccount`: a pod's Kubernetes identity, as kubelet passes it on: a signed token, and annotations written by
//! whoever can edit the service account.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>
//!
//! The signature is not checked here: each cloud checks it with the issuer's published keys. The claims are used only
//! to decide whose a minted token is.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::credential::Redacted;
use crate::error::{Code, Error, Fault, Meaning};
use crate::json::Loose;
use crate::jwt::{self, Audiences};

/// A service account, and the token that proves its identity to others.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    token: Redacted,
    issuer: String,
    audiences: Vec<String>,
    namespace: String,
    name: String,
    uid: String,
    annotations: BTreeMap<String, String>,
}

impl ServiceAccount {
    /// Reads the account from the token's claims. Fails if one is missing, or if the token is for the cluster itself.
    pub fn new(token: Redacted, annotations: BTreeMap<String, String>) -> Result<Self, Error> {
        let claims: Claims = jwt::claims(&token).ok_or(TokenError::NoToken)?;
        let Bound {
            namespace,
            serviceaccount: Account { name, uid },
        } = claims.bound.take().ok_or(TokenError::Unnamed)?;
        let issuer = claims.iss.take().filter(|issuer| !issuer.is_empty());
        let issuer = issuer.ok_or(TokenError::Unnamed)?;
        let subject = claims.sub.take().unwrap_or_default();
        if !is_name(&namespace) || !is_name(&name) || uid.is_empty() {
            return Err(TokenError::Unnamed.into());
        }
        if subject != format!("system:serviceaccount:{namespace}:{name}") {
            return Err(TokenError::OtherSubject.into());
        }
        let audiences = claims.aud.0;
        if audiences
            .iter()
            .any(|audience| is_cluster(audience, &issuer))
        {
            // Anyone who receives such a token could act as the pod in the cluster.
            return Err(TokenError::Clusters.into());
        }
        Ok(Self {
            token,
            issuer,
            audiences,
            namespace,
            name,
            uid,
            annotations,
        })
    }

    /// The token itself. Send it only to the cloud's own token service.
    pub fn token(&self) -> &Redacted {
        &self.token
    }

    /// An annotation's value; `None` if it is missing or empty.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Everything that distinguishes tokens minted for this account from those of others: the account, its issuer, the
    /// audiences and all annotations. Not the token, which differs for each pod.
    pub fn describe(&self) -> Vec<String> {
        let who = [
            "service account",
            &self.issuer,
            &self.namespace,
            &self.name,
            &self.uid,
        ]
        .map(str::to_owned);
        let audiences = self
            .audiences
            .iter()
            .map(|audience| format!("audience {audience}"));
        let annotations = self
            .annotations
            .iter()
            .flat_map(|(name, value)| [name.clone(), value.clone()]);
        who.into_iter()
            .chain(audiences)
            .chain(["annotations".to_owned()])
            .chain(annotations)
            .collect()
    }

    /// The error for an unusable annotation. Omits the value, which anyone may have written.
    pub fn wrong_annotation(
        &self,
        part: &'static str,
        name: &'static str,
        what: &'static str,
        fix: impl Into<String>,
    ) -> Error {
        AnnotationError {
            part,
            name,
            account: self.to_string(),
            what,
            fix: fix.into(),
        }
        .into()
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: Loose<String>,
    sub: Loose<String>,
    aud: Audiences,
    #[serde(rename = "kubernetes.io")]
    bound: Loose<Bound>,
}

#[derive(Deserialize)]
struct Bound {
    namespace: String,
    serviceaccount: Account,
}

#[derive(Deserialize)]
struct Account {
    name: String,
    uid: String,
}

/// Whether this is an audience that API servers accept by default: the issuer named in their tokens
/// (<https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>, `--api-audiences`), or a name
/// that clusters commonly use.
fn is_cluster(audience: &str, issuer: &str) -> bool {
    if audience.trim_end_matches('/') == issuer.trim_end_matches('/') {
        return true;
    }
    let host = audience.strip_prefix("https://").unwrap_or(audience);
    host == "kubernetes"
        || host == "kubernetes.default"
        || host.starts_with("kubernetes.default.svc")
}

/// Whether the text is a DNS subdomain (RFC 1123), as all names of service accounts and namespaces are.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    (1..=253).contains(&text.len()) && text.bytes().all(plain)
}

/// Why a pod's token can't be used.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error("it isn't a JSON Web Token")]
    NoToken,
    #[error("it does not say which service account it is of")]
    Unnamed,
    #[error("its subject and its service account are not the same")]
    OtherSubject,
    #[error("it is for the cluster's own API, and does not leave this node")]
    Clusters,
}

impl Fault for TokenError {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::MintNoIdentity, "the pod's service account token").fix(match self {
            Self::Clusters => {
                "let serviceAccountTokenAudience in kubelet's CredentialProviderConfig be the cloud's"
            }
            _ => "see what fills in serviceAccountToken: kubelet sends a bound token of the pod's",
        })
    }
}

/// An unusable annotation, without its value, which anyone may have written.
#[derive(Debug, thiserror::Error)]
#[error("the annotation {name} of the service account {account} {what}")]
struct AnnotationError {
    part: &'static str,
    name: &'static str,
    account: String,
    what: &'static str,
    fix: String,
}

impl Fault for AnnotationError {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::MintNoIdentity, self.part).fix(self.fix.clone())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::jwt::tests::token;

    /// An unsigned token of this service account.
    pub(crate) fn test_token(namespace: &str, name: &str, uid: &str) -> Redacted {
        token(&claims(namespace, name, uid))
    }

    fn claims(namespace: &str, name: &str, uid: &str) -> String {
        format!(
            r#"{{"iss":"https://oidc","aud":["sts"],"sub":"system:serviceaccount:{namespace}:{name}","kubernetes.io":{{"namespace":"{namespace}","serviceaccount":{{"name":"{name}","uid":"{uid}"}}}}}}"#
        )
    }

    /// A service account with these annotations.
    pub(crate) fn test_account(annotations: &[(&str, &str)]) -> ServiceAccount {
        let annotations = annotations
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        ServiceAccount::new(test_token("pulls", "puller", "u-1"), annotations).unwrap()
    }

    fn refusal(token: Redacted) -> String {
        ServiceAccount::new(token, BTreeMap::new())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn identity_is_account_issuer_audience_and_annotations_not_the_token() {
        let describe = |token: Redacted, annotations: &[(&str, &str)]| {
            let annotations = annotations
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect();
            ServiceAccount::new(token, annotations).unwrap().describe()
        };
        let text = test_token("pulls", "puller", "u-1");
        let mut seen = vec![describe(text.clone(), &[])];
        assert_eq!(seen[0], describe(format!("{}x", text.expose()).into(), &[]));
        let said = claims("pulls", "puller", "u-1");
        for (token, annotations) in [
            (test_token("pulls", "puller", "u-2"), &[][..]),
            (test_token("pulls", "other", "u-1"), &[]),
            (test_token("pull", "puller", "u-1"), &[]),
            (token(&said.replace("https://oidc", "https://oidc2")), &[]),
            (token(&said.replace(r#"["sts"]"#, r#""other""#)), &[]),
            (text.clone(), &[("a", "b")]),
            (text.clone(), &[("a", "c")]),
            (text.clone(), &[("a", "b"), ("c", "d")]),
        ] {
            let described = describe(token, annotations);
            assert!(!seen.contains(&described), "{described:?}");
            seen.push(described);
        }
    }

    #[test]
    fn incomplete_tokens_and_tokens_for_the_cluster_are_refused_and_not_quoted() {
        let whole = |sub: &str, kubernetes: &str| {
            token(&format!(
                r#"{{"iss":"i","sub":"system:serviceaccount:{sub}","kubernetes.io":{kubernetes}}}"#
            ))
        };
        let bound = r#"{"namespace":"a","serviceaccount":{"name":"b","uid":"u"}}"#;
        assert!(ServiceAccount::new(whole("a:b", bound), BTreeMap::new()).is_ok());
        let audience = |audience: &str| whole(&format!("a:b\",\"aud\":{audience},\"x\":\""), bound);
        assert!(ServiceAccount::new(audience("[\"sts\",\"ii\"]"), BTreeMap::new()).is_ok());
        for (token, why) in [
            ("hunter2".into(), "it isn't a JSON Web Token"),
            ("a.%%.hunter2".into(), "it isn't a JSON Web Token"),
            (
                format!("{}.x", whole("a:b", bound).expose()).into(),
                "it isn't a JSON Web Token",
            ),
            (
                token(r#"{"sub":"system:serviceaccount:a:b"}"#),
                "does not say which service account",
            ),
            (whole("a:b", "{}"), "does not say which service account"),
            (
                whole("a:b", &bound.replace("\"u\"", "\"\"")),
                "does not say which service account",
            ),
            (
                whole("a:B", &bound.replace("\"b\"", "\"B\"")),
                "does not say which service account",
            ),
            (
                whole("a:other", bound),
                "its subject and its service account are not the same",
            ),
            (
                whole("a:b\",\"aud\":\"https://kubernetes.default.svc", bound),
                "it is for the cluster's own API",
            ),
            (audience("\"i\""), "it is for the cluster's own API"),
            (
                audience("[\"sts\",\"i/\"]"),
                "it is for the cluster's own API",
            ),
            (
                whole(
                    "a:b\",\"aud\":[\"x\",\"kubernetes.default.svc.cluster.local\"],\"x\":\"",
                    bound,
                ),
                "the cluster's own API",
            ),
        ] {
            let text = refusal(token);
            assert!(
                text.starts_with("the pod's service account token: ") && text.contains(why),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn no_error_quotes_a_claim() {
        let sound = r#"{"iss":"i/hunter2","sub":"system:serviceaccount:a:b","aud":["sts","hunter2"],"kubernetes.io":{"namespace":"a","serviceaccount":{"name":"b","uid":"hunter2"}}}"#;
        crate::json::tests::no_error_quotes_a_value(sound, |claims| {
            let claims = std::str::from_utf8(claims).unwrap();
            ServiceAccount::new(token(claims), BTreeMap::new())
        });
    }
}
