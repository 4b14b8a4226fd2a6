//! The node's own identity, in the order of Google's application default credentials
//! (<https://docs.cloud.google.com/docs/authentication/application-default-credentials>).

use std::path::Path;

use zeroize::Zeroizing;

use super::answer::Answer;
use super::document::{self, Author};
use super::errors::GcpError;
use super::exchange::{SCOPE, Token, granted};
use super::owner::Document;
use super::refusal::{Grant, refused};
use super::{PART, VARIABLE};
use crate::backend::whose::digest;
use crate::backend::{Login, Whose};
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{Http, Kind, Request, Response};
use crate::token::{Scope, Unnamed};
use crate::trusted::{self, Readers};

/// The node's identity.
pub(super) enum Found {
    /// A credential document from the operator.
    Document(Box<Document>),
    /// The machine's own identity.
    Metadata(Metadata),
    /// No identity, and why.
    Nobody(String),
}

/// The metadata server, and what was tried before it.
pub(super) struct Metadata {
    host: String,
    tried: String,
}

/// The first configured identity; else the machine's, if it is a Google machine.
pub(super) fn find(node: &Node) -> Result<Found, Error> {
    if let Some(path) = node.file(VARIABLE)? {
        let found = document(&path)?;
        return Ok(found.ok_or(GcpError::NoDocument(path))?);
    }
    let folder = node
        .file(GCLOUD)?
        .or_else(|| node.at_home(".config/gcloud"));
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    if let Some(found) = file.as_deref().map(document).transpose()?.flatten() {
        return Ok(found);
    }
    let file = file.map_or_else(
        || "no home directory".to_owned(),
        |file| format!("no {}", file.display()),
    );
    let tried =
        format!("this node has no Google identity: {VARIABLE} is not set, there is {file}, and ");
    let server = node.get(SERVER).map(Redacted::expose);
    if server.is_none() && !node.is_machine_of("gcp") {
        return Ok(Found::Nobody(format!(
            "{tried}it is not a machine of Google's"
        )));
    }
    Ok(Found::Metadata(Metadata {
        host: server.unwrap_or(METADATA).to_owned(),
        tried,
    }))
}

/// The identity whose token the node's login mints.
pub(super) fn whose(login: &Login) -> Result<Whose, Error> {
    match find(login.node)? {
        Found::Document(document) => document.whose(login),
        Found::Metadata(server) => Ok(server.whose()),
        Found::Nobody(why) => Ok(Whose::Nobody(why)),
    }
}

fn document(path: &Path) -> Result<Option<Found>, Error> {
    let Some(bytes) = read(path, MAX_DOCUMENT)? else {
        return Ok(None);
    };
    let identity = document::parse(&path.display().to_string(), &bytes, Author::Operator)?;
    Ok(Some(Found::Document(Box::new(Document {
        identity,
        digest: digest(&bytes),
    }))))
}

/// Reads a file for the node's Google identity. No other code reads such files.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    trusted::read(path, Readers::Mounted, limit).map_err(|fault| fault.problem(PART))
}

impl Metadata {
    fn whose(&self) -> Whose {
        let parts = ["metadata", &self.host];
        Whose::Machine(Unnamed::new(Scope::of("service account", parts)))
    }

    /// The token of the service account attached to this machine
    /// (<https://docs.cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
    pub(super) async fn token(&self, http: &Http) -> Result<Token, Error> {
        let answer = self.ask(http, &format!("token?scopes={SCOPE}")).await?;
        granted(&answer, ORIGIN, &Grant::Metadata)
    }

    /// The service account's e-mail.
    pub(super) async fn email(&self, http: &Http) -> Result<String, Error> {
        let answer = self.ask(http, "email").await?;
        let Response { body, .. } = &answer.response;
        let email = std::str::from_utf8(body)
            .map(str::trim)
            .ok()
            .filter(|text| !text.is_empty());
        match email {
            Some(email) if answer.response.is_success() => Ok(email.to_owned()),
            _ => Err(refused(&answer, ORIGIN, &Grant::Metadata).into()),
        }
    }

    async fn ask(&self, http: &Http, what: &str) -> Result<Answer, Error> {
        let url = format!("http://{}{PATH}{what}", self.host);
        let request = Request::get(url).header(FLAVOUR, GOOGLE);
        let response = http
            .send(&request)
            .await
            .map_err(|fault| match fault.kind() {
                Kind::Nobody | Kind::Refused | Kind::Unresolvable => {
                    let (tried, error) = (self.tried.clone(), Box::new(fault));
                    GcpError::NoMetadata { tried, error }.into()
                }
                _ => fault.error(PART),
            })?;
        let answer = Answer::of(&request, response)?;
        if answer.response.header(FLAVOUR) != Some(GOOGLE) {
            let error = GcpError::NotMetadata {
                tried: self.tried.clone(),
                host: self.host.clone(),
                status: answer.response.status,
            };
            return Err(error.into());
        }
        Ok(answer)
    }
}

const GCLOUD: &str = "CLOUDSDK_CONFIG";
const SERVER: &str = "GCE_METADATA_HOST";
/// The address rather than the name `metadata.google.internal`, so that no name server can redirect it.
const METADATA: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/";
const ORIGIN: &str = "the metadata server";
const FLAVOUR: &str = "Metadata-Flavor";
const GOOGLE: &str = "Google";
const MAX_DOCUMENT: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Env};

    fn found<const N: usize>(variables: [(&str, &str); N]) -> Result<Found, String> {
        find(&Config::load(&Env::of(variables)).unwrap().node).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_node_names_must_be_there_and_be_a_whole_path() {
        for (name, path, cause) in [
            (VARIABLE, "key.json", "it is not an absolute path"),
            (GCLOUD, "gcloud", "it is not an absolute path"),
            (
                VARIABLE,
                "/nowhere/key.json",
                "there is no file /nowhere/key.json",
            ),
        ] {
            let error = found([(name, path)]).err().unwrap();
            assert!(error.starts_with(&format!("{name}: {cause}")), "{error}");
        }
    }

    #[test]
    fn gclouds_folder_comes_before_the_machine_and_that_only_where_it_is_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/gcloud");
        std::fs::create_dir_all(&folder).unwrap();
        let home = home.path().to_str().unwrap();
        let on_a_machine = |product: &str| {
            let sysfs = tempfile::tempdir().unwrap();
            let dmi = sysfs.path().join("class/dmi/id");
            std::fs::create_dir_all(&dmi).unwrap();
            std::fs::write(dmi.join("product_name"), product).unwrap();
            let node = Config::load(&Env::of([("HOME", home)]))
                .unwrap()
                .node
                .described_in(sysfs.path());
            find(&node).map_err(|error| error.to_string())
        };
        assert!(matches!(
            on_a_machine("Google Compute Engine"),
            Ok(Found::Metadata(_))
        ));
        let Ok(Found::Nobody(why)) = on_a_machine("Standard PC") else {
            panic!()
        };
        assert!(
            why.starts_with("this node has no Google identity: ")
                && why.ends_with("not a machine of Google's")
        );
        assert!(matches!(
            found([("HOME", home), (SERVER, "127.0.0.1:1")]),
            Ok(Found::Metadata(_))
        ));
        let user =
            r#"{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}"#;
        std::fs::write(folder.join("application_default_credentials.json"), user).unwrap();
        assert!(matches!(on_a_machine("Google"), Ok(Found::Document(_))));
        assert!(matches!(
            found([(GCLOUD, folder.to_str().unwrap())]),
            Ok(Found::Document(_))
        ));
    }
}
