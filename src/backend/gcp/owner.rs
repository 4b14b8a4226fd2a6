//! The identity behind a credential document: from its content, and from the token that it yields.

use super::answer::Asker;
use super::document::{Base, External, Identity, Source};
use super::federation;
use super::refusal::{shown, target};
use crate::backend::whose::Bearer;
use crate::backend::{Login, Whose, aws};
use crate::config::Node;
use crate::error::Error;
use crate::http::Http;
use crate::token::{Scope, Unnamed};

/// A credential document, and a digest of its content.
pub(super) struct Document {
    pub(super) identity: Identity,
    pub(super) digest: String,
}

impl Document {
    pub(super) fn whose(&self, login: &Login) -> Result<Whose, Error> {
        let scope = Scope::of(self.name(), ["document", &self.digest]);
        let Some(external) = self.external() else {
            return Ok(Whose::Known(scope));
        };
        Ok(match &external.source {
            Source::File { path, field } => {
                let (origin, field) = (&self.identity.origin, field.as_deref());
                let bearer = Bearer::of(&federation::from_file(origin, path, field)?);
                let of = bearer
                    .subject
                    .map(|subject| format!("{} ({subject})", scope.identity()));
                let scope = scope.with(bearer.parts);
                Whose::Known(scope.called(|name| of.unwrap_or_else(|| name.to_owned())))
            }
            Source::Aws { .. } => match aws::whose_node(login.node, None)? {
                // The login reports a missing AWS identity, naming Google's.
                Whose::Nobody(_) | Whose::Unknown => Whose::Unknown,
                other => other.map(|of_aws| {
                    let name = format!("{}, as AWS's {}", scope.identity(), of_aws.identity());
                    scope
                        .with(of_aws.parts().map(str::to_owned))
                        .called(|_| name)
                }),
            },
            Source::Url { .. } => Whose::Machine(Unnamed::new(scope)),
            Source::Pod { token } => Whose::Known(scope.with(Bearer::of(token).parts)),
        })
    }

    /// Whether Google trusts the node's AWS identity.
    pub(super) fn is_of_aws(&self) -> bool {
        self.external()
            .is_some_and(|external| matches!(external.source, Source::Aws { .. }))
    }

    /// The subject of the token sent to Google; `None` if it has none.
    pub(super) async fn subject(&self, http: &Http, node: &Node) -> Result<Option<String>, Error> {
        let Some(external) = self.external() else {
            return Ok(None);
        };
        let origin = self.identity.origin.as_str();
        let asker = Asker { http, node, origin };
        let bearer = Bearer::of(&federation::subject_token(asker, external).await?);
        Ok(bearer.subject.map(|_| bearer.parts[1..].join(" ")))
    }

    fn external(&self) -> Option<&External> {
        if let Base::External(external) = &self.identity.base {
            Some(external)
        } else {
            None
        }
    }

    fn name(&self) -> String {
        if let Some(last) = self.identity.acts_as.last() {
            return format!("service account {}", shown(target(&last.url)));
        }
        match &self.identity.base {
            Base::Account(account) => format!("service account {}", shown(&account.email)),
            Base::User(_) => format!("the user of {}", self.identity.origin),
            Base::External(_) => format!("the federated identity of {}", self.identity.origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{Author, parse};
    use super::*;
    use crate::backend::tests::test_login;
    use crate::keys::Keys;

    #[test]
    fn what_aws_vouches_for_is_not_kept_where_the_node_has_no_identity_at_aws() {
        let text = r#"{"type":"external_account","audience":"a","subject_token_type":"urn:ietf:params:aws:token-type:aws4_request","token_url":"https://sts.googleapis.com/v1/token","credential_source":{"environment_id":"aws1","regional_cred_verification_url":"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}}"#;
        let document = Document {
            identity: parse("adc.json", text.as_bytes(), Author::Operator).unwrap(),
            digest: "digest".to_owned(),
        };
        let keys = Keys::default();
        let login = test_login("gcr.io", &keys);
        assert_eq!(document.whose(&login).unwrap(), Whose::Unknown);
    }
}
