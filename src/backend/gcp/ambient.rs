//! The node's own identity, in the order of Google's application default credentials
//! (<https://docs.cloud.google.com/docs/authentication/application-default-credentials>).

use std::path::{Path, PathBuf};

use super::PART;
use super::document::{self, Author, Identity};
use super::exchange::{SCOPE, Token, granted};
use super::http::Http;
use super::refusal::Grant;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::private::{self, Readers};

/// What identity the node has.
pub(super) enum Found {
    /// A credential document that the operator has put there.
    Document(Identity),
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
        return read(&path)?.ok_or_else(missing).map(Found::Document);
    }
    let folder = match value(GCLOUD) {
        Some(folder) => Some(absolute(GCLOUD, folder)?),
        None => value("HOME").map(|home| Path::new(home).join(".config/gcloud")),
    };
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    if let Some(identity) = file.as_deref().map(read).transpose()?.flatten() {
        return Ok(Found::Document(identity));
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
    let bytes = private::read(path, Readers::Anybody, MAX_DOCUMENT)
        .map_err(|fault| Problem::new(PART, fault.cause).fix(fault.fix).failed())?;
    bytes.map(|bytes| document::parse(&path.display().to_string(), &bytes, Author::Operator)).transpose()
}

impl Metadata {
    /// The token of the service account that is attached to this machine
    /// (<https://docs.cloud.google.com/compute/docs/access/authenticate-workloads#applications>).
    pub(super) async fn token(&self, http: &Http) -> Result<Token, Error> {
        let url = format!("http://{}{PATH}?scopes={SCOPE}", self.host);
        let answer = http
            .ask(&url, |client, url| client.get(url).header(FLAVOUR, GOOGLE))
            .await
            .map_err(|fault| fault.after(&format!("{}the metadata server ", self.tried), FIX))?;
        if answer.headers.get(FLAVOUR).is_none_or(|flavour| flavour != GOOGLE) {
            return Err(Problem::new(
                PART,
                format_args!("{}what answers as {} is not Google's", self.tried, self.host),
            )
            .fix(FIX)
            .failed());
        }
        granted(answer, "the metadata server", &Grant::Metadata)
    }
}

/// What says which identity the node has, for the cache; a document's content may change under its name.
pub(super) const VARIABLES: [&str; 4] = [VARIABLE, GCLOUD, SERVER, "HOME"];
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const GCLOUD: &str = "CLOUDSDK_CONFIG";
const SERVER: &str = "GCE_METADATA_HOST";
const METADATA: &str = "metadata.google.internal";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const FLAVOUR: &str = "Metadata-Flavor";
const GOOGLE: &str = "Google";
const FIX: &str = "give it one: attach a service account, or name a credential file in GOOGLE_APPLICATION_CREDENTIALS";
const MAX_DOCUMENT: u64 = 256 << 10;
