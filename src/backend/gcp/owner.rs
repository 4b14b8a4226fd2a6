//! Whose a credential document is: what its content says, and whose the token is that it leads to.

use super::document::{Base, External, Identity, Source};
use super::federation;
use super::refusal::{shown, target};
use crate::backend::whose::Bearer;
use crate::backend::{Login, Whose, aws};
use crate::config::Node;
use crate::error::Error;
use crate::http::Http;
use crate::token::{Scope, Unnamed};

/// A credential document, and what stands for its content.
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
                let bearer = Bearer::of(&federation::from_file(
                    &self.identity.origin,
                    path,
                    field.as_deref(),
                )?);
                let of = bearer
                    .subject
                    .map(|subject| format!("{} ({subject})", scope.identity()));
                let scope = scope.with(bearer.parts);
                Whose::Known(scope.called(|name| of.unwrap_or_else(|| name.to_owned())))
            }
            Source::Aws { .. } => match aws::whose_node(login.node, None)? {
                // That AWS lacks an identity is for the login to say: Google's is named.
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

    /// Whether it is the node's identity at AWS that Google trusts.
    pub(super) fn is_of_aws(&self) -> bool {
        self.external()
            .is_some_and(|external| matches!(external.source, Source::Aws { .. }))
    }

    /// Whom the token is about that Google is shown; `None` where it does not say.
    pub(super) async fn subject(&self, http: &Http, node: &Node) -> Result<Option<String>, Error> {
        let Some(external) = self.external() else {
            return Ok(None);
        };
        let token = federation::subject_token(http, &self.identity.origin, external, node).await?;
        let bearer = Bearer::of(&token);
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
