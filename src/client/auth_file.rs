//! `AuthFile`: docker's `config.json` and the auth files of podman, buildah, skopeo and CRI-O, which share a format
//! (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>).

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::HELPER;
use super::file::Text;
use super::go_json::{self, Value};
use super::refusal::FileFault;
use super::spelling::wiring_keys;
use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::host::{Host, ServerUrl};

/// The parts of such a file that are about credentials.
#[derive(Debug, Default)]
pub struct AuthFile {
    /// The file's path.
    pub path: PathBuf,
    /// The helper for every registry. podman and its family ignore it.
    pub creds_store: Option<String>,
    /// The helpers for single registries, in the order written.
    pub cred_helpers: Vec<(String, String)>,
    /// Credentials in plain text, in the order written.
    pub auths: Vec<AuthEntry>,
    /// Other keys, which are not about credentials.
    pub other_keys: Vec<String>,
    /// Why podman and its family refuse the file, although docker reads it.
    pub docker_only: Option<&'static str>,
    /// Whether it is not UTF-8, which no client minds.
    pub is_lossy: bool,
}

/// A member of `auths`.
#[derive(Debug)]
pub struct AuthEntry {
    /// The registry, as the client spells it.
    pub key: String,
    /// The entry's content.
    pub held: Held,
    /// Whether podman and its family fail on this entry, which docker merely skips.
    pub fails_podman: bool,
}

/// The content of a member of `auths`.
#[derive(Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: docker leaves an empty member for a registry with a helper.
    Nothing,
    /// A user name and a password, or `<token>` and an identity token.
    Credential(Credential),
    /// Unusable content, and why.
    Malformed(String),
}

impl AuthFile {
    /// Why podman refuses an empty file.
    pub const EMPTY: &str = "it is empty";
    /// Why podman refuses a file with a second value or an extra brace.
    pub const MORE: &str = "more follows its first JSON value";
    /// Why podman refuses a file with an entry that docker skips.
    pub const UNREADABLE: &str = "an entry of its auths is not an object of texts";

    /// Reads a file; `None` if it does not exist.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let read = |text: Text| {
            let file = Self::parse(path, &text.text)?;
            let is_lossy = text.is_lossy;
            Ok(Self { is_lossy, ..file })
        };
        Text::read_as_go(path)?.map(read).transpose()
    }

    /// Parses the text as docker does, which reads an empty file as an empty object.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let file = Self::said(text).map_err(|cause| FileFault::Incorrect(cause).of(path))?;
        let path = path.to_owned();
        Ok(Self { path, ..file })
    }

    fn said(text: &str) -> Result<Self, String> {
        if text.starts_with('\u{feff}') {
            return Err("it begins with a byte order mark, which no client can read".into());
        }
        let mut file = Self::default();
        if text.trim().is_empty() {
            file.docker_only = Some(Self::EMPTY);
            return Ok(file);
        }
        let (document, more) = go_json::parse(text)?;
        if !(document.is_object() || document.is_null()) {
            return Err("it is not an object".into());
        }
        file.docker_only = more.then_some(Self::MORE);
        let store = document.text(CREDS_STORE)?;
        file.creds_store = Some(store.expose().to_owned()).filter(|name| !name.is_empty());
        for (key, value) in document.map(CRED_HELPERS)? {
            let name = value
                .own_text()
                .ok_or("a name in its credHelpers is not a text")?;
            file.cred_helpers.push((key, name.expose().to_owned()));
        }
        for (key, value) in document.map(AUTHS)? {
            if !is_readable(value) {
                file.docker_only.get_or_insert(Self::UNREADABLE);
            }
            let auth = value.text("auth").unwrap_or_default();
            file.auths.push(AuthEntry {
                key,
                held: held(value).unwrap_or_else(Held::Malformed),
                fails_podman: STANDARD.decode(auth.expose()).is_err(),
            });
        }
        let known = [CREDS_STORE, CRED_HELPERS, AUTHS];
        let other = |name: &String| !known.iter().any(|known| known.eq_ignore_ascii_case(name));
        file.other_keys = document.names().filter(other).collect();
        Ok(file)
    }

    /// The helper for this key in `credHelpers`.
    pub fn helper(&self, key: &str) -> Option<&str> {
        let mut helpers = self.cred_helpers.iter();
        helpers.find_map(|(name, helper)| (name == key).then_some(helper.as_str()))
    }

    /// The same; without a key, the helper in `credsStore`.
    pub(super) fn helper_of(&self, key: Option<&str>) -> Option<&str> {
        key.map_or(self.creds_store.as_deref(), |key| self.helper(key))
    }

    /// If at least one key of a host has this helper, the keys that lack it.
    pub fn missing_keys(&self, host: &Host) -> Vec<String> {
        let mut keys = wiring_keys(host, "");
        let all = keys.len();
        keys.retain(|key| self.helper(key) != Some(HELPER));
        if keys.len() == all { Vec::new() } else { keys }
    }

    /// The plain-text credentials of a host.
    pub fn plain<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a AuthEntry> {
        self.auths
            .iter()
            .filter(|entry| entry.held != Held::Nothing && entry.host().as_ref() == Some(host))
    }
}

impl AuthEntry {
    /// The registry of the entry; `None` if the key isn't a whole registry.
    pub fn host(&self) -> Option<Host> {
        match ServerUrl::parse(self.key.as_bytes()) {
            Ok(ServerUrl::Registry { host, path, .. })
                if WHOLE.contains(&path.trim_end_matches('/')) =>
            {
                Some(host)
            }
            _ => None,
        }
    }
}

/// Docker prefers an identity token, then `auth`, then the two fields of old files
/// (<https://github.com/docker/cli/blob/master/cli/config/types/authconfig.go>).
fn held(entry: Value) -> Result<Held, String> {
    if entry.is_null() {
        return Ok(Held::Nothing);
    }
    if !entry.is_object() {
        return Err("it is not an object".into());
    }
    let (auth, token) = (entry.text("auth")?, entry.text("identitytoken")?);
    let (username, password) = (entry.text("username")?, entry.text("password")?);
    let (username, secret) = if !token.is_empty() {
        (TOKEN_USER.to_owned(), token)
    } else if !auth.is_empty() {
        decode(&auth).ok_or("its auth is not base64 of user:password")?
    } else if !(username.is_empty() && password.is_empty()) {
        (username.expose().to_owned(), password)
    } else if entry.text("registrytoken")?.is_empty() {
        return Ok(Held::Nothing);
    } else {
        return Err("it is a registrytoken, which no helper can answer".into());
    };
    let credential = Credential::new(username, secret);
    credential
        .map(Held::Credential)
        .map_err(|unusable| unusable.to_string())
}

/// Decodes base64 of `user:password`. Like docker, drops NUL bytes around the password.
fn decode(auth: &Redacted) -> Option<(String, Redacted)> {
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(auth.expose().trim()).ok()?);
    let (username, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((username.to_owned(), password.trim_matches('\0').into()))
}

/// Whether podman and its family can read an entry. If not, they refuse the whole file.
fn is_readable(entry: Value) -> bool {
    let texts = [entry.text("auth"), entry.text("identitytoken")];
    entry.is_null() || entry.is_object() && texts.iter().all(Result::is_ok)
}

pub(super) const CREDS_STORE: &str = "credsStore";
pub(super) const CRED_HELPERS: &str = "credHelpers";
pub(super) const AUTHS: &str = "auths";
const TOKEN_USER: &str = "<token>";
/// The paths with which a key still means the whole registry.
const WHOLE: [&str; 3] = ["", "v1", "v2"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> AuthFile {
        AuthFile::parse(Path::new("/f"), text).unwrap()
    }

    fn pair(user: &str, secret: &str) -> Held {
        Held::Credential(Credential::new(user.into(), secret.into()).unwrap())
    }

    #[test]
    fn each_form_of_a_plain_credential_is_read_as_docker_reads_it() {
        let b64 = |text: &str| STANDARD.encode(text);
        let table = [
            (
                format!(r#"{{"auth":"{}"}}"#, b64("octo:a:b")),
                pair("octo", "a:b"),
            ),
            (
                format!(r#"{{"auth":"{}"}}"#, b64("octo:s\0\0")),
                pair("octo", "s"),
            ),
            (
                r#"{"username":"octo","password":"s","email":"x"}"#.into(),
                pair("octo", "s"),
            ),
            (
                format!(r#"{{"auth":"{}","identitytoken":"t"}}"#, b64("octo:")),
                pair("<token>", "t"),
            ),
            ("{}".into(), Held::Nothing),
            ("null".into(), Held::Nothing),
            (r#"{"auth":""}"#.into(), Held::Nothing),
            (
                r#"{"auth":"%%"}"#.into(),
                Held::Malformed("its auth is not base64 of user:password".into()),
            ),
            (
                format!(r#"{{"auth":"{}"}}"#, b64("octo")),
                Held::Malformed("its auth is not base64 of user:password".into()),
            ),
            (
                format!(r#"{{"auth":"{}"}}"#, b64(":s")),
                Held::Malformed("the user name is empty".into()),
            ),
            (
                r#"{"auth":1}"#.into(),
                Held::Malformed("its auth is not a text".into()),
            ),
            ("[]".into(), Held::Malformed("it is not an object".into())),
        ];
        for (entry, expected) in table {
            let file = parse(&format!(r#"{{"auths":{{"ghcr.io":{entry}}}}}"#));
            assert_eq!(file.auths[0].held, expected, "{entry}");
        }
    }

    #[test]
    fn docker_hubs_other_key_is_missed_only_where_one_of_them_is_there() {
        let hub = Host::docker_hub();
        assert_eq!(
            parse(r#"{"credHelpers":{"docker.io":"beta9"}}"#).missing_keys(&hub),
            ["https://index.docker.io/v1/"]
        );
        assert!(parse("{}").missing_keys(&hub).is_empty());
    }

    #[test]
    fn what_no_client_can_read_is_an_error_that_names_the_file_and_no_value() {
        let table = [
            (
                "{\"auths\":{\"h\":{\"auth\":\"hunter2\"}",
                "/f: it ends too early (line 1, column 32); correct it, and try again",
            ),
            (
                "\u{feff}{}",
                "/f: it begins with a byte order mark, which no client can read; correct it, and try again",
            ),
            (
                r#"{"credHelpers":[]}"#,
                "/f: its credHelpers is not an object; correct it, and try again",
            ),
            (
                r#"{"credsStore":["hunter2"]}"#,
                "/f: its credsStore is not a text; correct it, and try again",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                AuthFile::parse(Path::new("/f"), text)
                    .unwrap_err()
                    .to_string(),
                expected
            );
        }
    }

    #[test]
    fn names_in_any_case_equal_keys_and_what_follows_are_read_as_go_reads_them() {
        let file = parse(
            r#"{"credsStore":"x","credhelpers":{"a.example":"x","b.example":"y","a.example":"z"},"CREDSSTORE":"y",
            "auths":null,"credStore":"beta9","psFormat":1} }"#,
        );
        assert_eq!(file.creds_store.as_deref(), Some("y"));
        assert_eq!(file.helper("a.example"), Some("z"));
        assert_eq!(file.cred_helpers.len(), 2);
        assert_eq!(file.other_keys, ["credStore", "psFormat"]);
        assert_eq!(file.docker_only, Some("more follows its first JSON value"));
        assert_eq!(parse("{}\n").docker_only, None);
        assert_eq!(parse(" \n").docker_only, Some("it is empty"));
        assert_eq!(parse("{}{}").docker_only, file.docker_only);
    }
}
