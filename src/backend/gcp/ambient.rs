//! The node's own identity, in the order of Google's application default credentials
//! (<https://docs.cloud.google.com/docs/authentication/application-default-credentials>).

use std::path::{Path, PathBuf};

use super::PART;
use super::answer::{Answer, unanswered};
use super::document::{self, Author, Identity};
use super::exchange::{SCOPE, Token, granted};
use super::refusal::Grant;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::http::{Http, Kind, Request};
use crate::trusted::{self, Readers};

/// What identity the node has.
pub(super) enum Found {
    /// A credential document that the operator has put there.
    Document(Box<Identity>),
    /// None: what the machine itself says.
    Metadata(Metadata),
}

/// The metadata server, and what was looked for before it.
pub(super) struct Metadata {
    host: String,
    tried: String,
}

/// The first identity that is configured.
pub(super) fn find(node: &Node) -> Result<Found, Error> {
    let value = |name| node.get(name).map(Redacted::expose);
    if let Some(path) = value(VARIABLE) {
        let path = absolute(VARIABLE, path)?;
        let missing = || {
            Problem::new(VARIABLE, format_args!("there is no file {}", path.display()))
                .fix("correct or unset it")
                .failed()
        };
        return read(&path)?.ok_or_else(missing).map(|identity| Found::Document(Box::new(identity)));
    }
    let folder = match value(GCLOUD) {
        Some(folder) => Some(absolute(GCLOUD, folder)?),
        None => value("HOME").map(|home| Path::new(home).join(".config/gcloud")),
    };
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    if let Some(identity) = file.as_deref().map(read).transpose()?.flatten() {
        return Ok(Found::Document(Box::new(identity)));
    }
    let file = file.map_or_else(|| "no home directory".to_owned(), |file| format!("no {}", file.display()));
    let tried = format!("this node has no Google identity: {VARIABLE} is not set, there is {file}, and ");
    Ok(Found::Metadata(Metadata { host: value(SERVER).unwrap_or(METADATA).to_owned(), tried }))
}

/// A relative path would be looked for wherever docker was started, which may be anybody's folder.
fn absolute(name: &str, path: &str) -> Result<PathBuf, Error> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Problem::new(name, "it is not an absolute path").fix("give the whole path, from /").failed())
}

fn read(path: &Path) -> Result<Option<Identity>, Error> {
    let bytes = trusted::read(path, Readers::Mounted, MAX_DOCUMENT)
        .map_err(|fault| Problem::new(PART, fault.cause).fix(fault.fix).failed())?;
    bytes.map(|bytes| document::parse(&path.display().to_string(), &bytes, Author::Operator)).transpose()
}

impl Metadata {
    /// The token of the service account that is attached to this machine
    /// (<https://docs.cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
    pub(super) async fn token(&self, http: &Http) -> Result<Token, Error> {
        let url = format!("http://{}{PATH}?scopes={SCOPE}", self.host);
        let request = Request::get(&url).header(FLAVOUR, GOOGLE);
        let response = http.send(&request).await.map_err(|fault| match fault.kind() {
            // Where nobody answers there is no metadata server: this is no machine of Google's.
            Kind::Nobody | Kind::Refused | Kind::Unresolvable => {
                Problem::new(PART, format_args!("{}{fault}", self.tried)).fix(FIX).unreachable()
            }
            _ => unanswered(&fault),
        })?;
        let answer = Answer::of(&url, response)?;
        if answer.response.header(FLAVOUR) != Some(GOOGLE) {
            let cause = format_args!(
                "{}what answers at {} is not Google's metadata server (status {})",
                self.tried, self.host, answer.response.status
            );
            return Err(Problem::new(PART, cause).fix(FIX).failed());
        }
        granted(&answer, "the metadata server", &Grant::Metadata)
    }
}

/// What says which identity the node has, for the cache; a document's content may change under its name.
/// Those of AWS say whose subject token a node on AWS exchanges.
pub(super) const VARIABLES: [&str; 12] = [
    VARIABLE,
    GCLOUD,
    SERVER,
    "HOME",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const GCLOUD: &str = "CLOUDSDK_CONFIG";
const SERVER: &str = "GCE_METADATA_HOST";
/// By address and not by its name, `metadata.google.internal`: no name server has a say in who it is.
const METADATA: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const FLAVOUR: &str = "Metadata-Flavor";
const GOOGLE: &str = "Google";
const FIX: &str = "give it one: attach a service account, or name a credential file in GOOGLE_APPLICATION_CREDENTIALS";
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
            (VARIABLE, "/nowhere/key.json", "there is no file /nowhere/key.json"),
        ] {
            let error = found([(name, path)]).err().unwrap();
            assert!(error.starts_with(&format!("{name}: {cause}")), "{error}");
        }
    }

    #[test]
    fn gclouds_folder_comes_before_the_machine() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/gcloud");
        std::fs::create_dir_all(&folder).unwrap();
        let home = home.path().to_str().unwrap();
        assert!(matches!(found([("HOME", home)]), Ok(Found::Metadata(_))));
        let user = r#"{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}"#;
        std::fs::write(folder.join("application_default_credentials.json"), user).unwrap();
        for variables in [("HOME", home), (GCLOUD, folder.to_str().unwrap())] {
            assert!(matches!(found([variables]), Ok(Found::Document(_))), "{variables:?}");
        }
    }
}
