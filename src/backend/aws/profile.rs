//! The source of a profile's credentials: its own, or those at the start of a chain of other profiles, followed as the
//! SDK does (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>).

use std::path::Path;

use aws_config::profile::Profile as Section;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::environment::{key_name, keys, of_container, of_keys};
use super::errors::{AwsError, ProfileFault};
use super::files::{ChosenBy, Files, read, token};
use crate::backend::Whose;
use crate::backend::whose::{Bearer, digest};
use crate::error::Error;
use crate::json::{self, Loose};
use crate::seal::hex;
use crate::token::{Scope, Unnamed, shown};

/// The identity of the chosen profile; `None` if it has no credentials, and the default chain goes on to other sources.
pub(super) fn chosen(files: &Files) -> Result<Option<Whose>, Error> {
    if files.sections.get_profile(&files.name).is_none() {
        return if files.must_have_profile() {
            Err(files.missing(&files.name, None))
        } else {
            Ok(None)
        };
    }
    let found = Profile::default().follow(files)?;
    if found.is_none() && files.by == ChosenBy::Rule {
        return Err(AwsError::profile(&files.name, ProfileFault::Empty).into());
    }
    Ok(found.map(|profile| profile.whose(&files.name)))
}

/// A profile with credentials.
#[derive(Default)]
struct Profile {
    /// A description of the final credentials.
    what: String,
    parts: Vec<String>,
    begins: Begin,
}

/// The credentials at the start of a chain of profiles.
#[derive(Default)]
enum Begin {
    /// Described by the parts.
    #[default]
    Told,
    /// The instance's role.
    Instance,
    /// Those of an agent that may answer for anyone.
    Unknown,
}

impl Profile {
    fn whose(self, name: &str) -> Whose {
        let mut name = format!("profile {}", shown(name));
        if !self.what.is_empty() {
            name = format!("{name} ({})", self.what);
        }
        let scope = Scope::of(name, ["profile"]).with(self.parts);
        match self.begins {
            Begin::Told => Whose::Known(scope),
            Begin::Instance => Whose::Machine(Unnamed::new(
                scope.called(|name| format!("{name} by the instance role")),
            )),
            Begin::Unknown => Whose::Unknown,
        }
    }

    /// Follows the chain from the profile to its source, and so on.
    fn follow(mut self, files: &Files) -> Result<Option<Self>, Error> {
        let (mut seen, mut name): (Vec<&str>, _) = (Vec::new(), files.name.as_str());
        loop {
            let section = files.sections.get_profile(name);
            let section = section.ok_or_else(|| files.missing(name, seen.last().copied()))?;
            if seen.contains(&name) {
                return Err(AwsError::profile(name, ProfileFault::Circle).into());
            }
            seen.push(name);
            self.parts.extend([name.to_owned(), content(section)]);
            // A source profile's keys take precedence over its role.
            if seen.len() > 1 && section.get(KEY_ID).is_some() && section.get(KEY).is_some() {
                return Ok(Some(self));
            }
            let role = section
                .get(ROLE)
                .filter(|_| section.get(WEB_TOKEN).is_none());
            if let Some(role) = role {
                if section.get("mfa_serial").is_some() {
                    return Err(AwsError::profile(name, ProfileFault::Mfa).into());
                }
                self.be(|| format!("role {}", shown(role)));
            }
            match section.get("source_profile") {
                Some(source)
                    if role.is_some() && source != name && section.get(SOURCE).is_none() =>
                {
                    name = source;
                }
                _ => {
                    let is_there = self.begin(section, name, files)? || role.is_some();
                    return Ok(is_there.then_some(self));
                }
            }
        }
    }

    /// Finds the start of the chain; `false` if this profile has no credentials.
    fn begin(&mut self, section: &Section, name: &str, files: &Files) -> Result<bool, Error> {
        if let Some(source) = section.get(SOURCE) {
            match source.to_ascii_lowercase().as_str() {
                "environment" => self.depend_on(keys(files.node).as_ref().map(of_keys)),
                "ecscontainer" => match of_container(files.node)? {
                    Some(container) => self.depend_on(Some(container)),
                    None => self.begins = Begin::Unknown,
                },
                "ec2instancemetadata" => {
                    self.begins = Begin::Instance;
                    self.parts.push(files.metadata().to_owned());
                }
                // The SDK supports no other value, and reports it.
                _ => {}
            }
            return Ok(true);
        }
        if let Some(file) = section.get(WEB_TOKEN).map(Path::new) {
            if !file.is_absolute() {
                return Err(AwsError::profile(name, ProfileFault::Relative).into());
            }
            self.parts
                .extend(Bearer::of(&token(WEB_TOKEN, file)?).parts);
            let role = section.get(ROLE).map_or_else(
                || "no role".to_owned(),
                |role| format!("role {}", shown(role)),
            );
            self.be(|| format!("{role}, by web identity"));
            return Ok(true);
        }
        if SSO.iter().any(|key| section.get(key).is_some()) {
            return self.begin_with_sso(section, name, files);
        }
        if section.get("login_session").is_some() {
            return Err(AwsError::profile(name, ProfileFault::LoginSession).into());
        }
        if section.get("credential_process").is_some() {
            self.be(|| "credential_process".to_owned());
            return Ok(true);
        }
        if let Some(id) = section.get(KEY_ID) {
            self.be(|| key_name(id));
        }
        Ok([KEY_ID, KEY, "aws_session_token"]
            .iter()
            .any(|key| section.get(key).is_some()))
    }

    /// An SSO session that somebody logged in to on this node. Its token changes every hour, but the refresh token
    /// stays the same and identifies it.
    fn begin_with_sso(
        &mut self,
        section: &Section,
        name: &str,
        files: &Files,
    ) -> Result<bool, Error> {
        let (Some(account), Some(role)) =
            (section.get("sso_account_id"), section.get("sso_role_name"))
        else {
            // Without both, the session is for bearer tokens, which aren't credentials. With only one, the SDK reports
            // an error.
            return Ok(section
                .get("sso_account_id")
                .or(section.get("sso_role_name"))
                .is_some());
        };
        let session = section.get("sso_session");
        let of_session = |key| files.sections.sso_session(session?)?.get(key);
        let url = of_session("sso_start_url").or_else(|| section.get("sso_start_url"));
        self.parts.extend(
            [url, of_session("sso_region")].map(|text| text.unwrap_or_default().to_owned()),
        );
        let file = session
            .or(url)
            .and_then(|session| files.node.at_home(&sso_token(session)));
        let bytes = file
            .as_deref()
            .map(read)
            .transpose()?
            .flatten()
            .ok_or_else(|| AwsError::profile(name, ProfileFault::NoSession))?;
        match json::object::<Session>(&bytes) {
            Ok(session) => self.parts.extend(
                [session.client_id, session.start_url, session.region]
                    .map(|text| text.take().unwrap_or_default()),
            ),
            Err(_) => self.parts.push(digest(&bytes)),
        }
        self.be(|| format!("role {} of {}, by SSO", shown(role), shown(account)));
        Ok(true)
    }

    /// Sets the description of the final credentials; the first call wins.
    fn be(&mut self, what: impl FnOnce() -> String) {
        if self.what.is_empty() {
            self.what = what();
        }
    }

    fn depend_on(&mut self, scope: Option<Scope>) {
        let Some(scope) = scope else { return };
        self.parts.extend(scope.parts().map(str::to_owned));
        self.be(|| scope.identity().to_owned());
    }
}

/// The members of a session's file that stay when its token is renewed.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Session {
    client_id: Loose<String>,
    start_url: Loose<String>,
    region: Loose<String>,
}

/// All of a profile's settings about credentials. The parser can't list a profile's keys.
fn content(section: &Section) -> String {
    let lines = KEYS
        .iter()
        .filter_map(|key| section.get(key).map(|value| format!("{key}={value}\n")));
    digest(Zeroizing::new(lines.collect::<String>()).as_bytes())
}

/// The path below the home directory where the SDK and the CLI keep a session's token.
fn sso_token(session: &str) -> String {
    let name = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        session.as_bytes(),
    );
    format!(".aws/sso/cache/{}.json", hex(name.as_ref()))
}

const ROLE: &str = "role_arn";
const SOURCE: &str = "credential_source";
const WEB_TOKEN: &str = "web_identity_token_file";
const KEY_ID: &str = "aws_access_key_id";
const KEY: &str = "aws_secret_access_key";
const SSO: [&str; 5] = [
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_start_url",
    "sso_session",
];
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>
const KEYS: [&str; 20] = [
    ROLE,
    "source_profile",
    SOURCE,
    "external_id",
    "role_session_name",
    "duration_seconds",
    "mfa_serial",
    WEB_TOKEN,
    SSO[0],
    SSO[1],
    SSO[2],
    SSO[3],
    SSO[4],
    "credential_process",
    "login_session",
    KEY_ID,
    KEY,
    "aws_session_token",
    "aws_account_id",
    "ec2_metadata_service_endpoint",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Env, Node};

    /// The identity of a profile in this text, with a fresh home directory.
    fn whose(text: &str, profile: &str) -> Result<Option<Whose>, String> {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join(".aws/config");
        std::fs::create_dir(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
        let node = node(home.path().to_str().unwrap(), profile);
        let files = Files::read(&node, None).map_err(|error| error.to_string())?;
        chosen(&files).map_err(|error| error.to_string())
    }

    fn node(home: &str, profile: &str) -> Node {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let uri = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/hunter2");
        Config::load(&Env::of([
            ("HOME", home),
            ("AWS_PROFILE", profile),
            keys[0],
            keys[1],
            uri,
        ]))
        .unwrap()
        .node
    }

    #[test]
    fn a_profile_is_what_its_credentials_are_in_the_end() {
        let keys = "aws_access_key_id = AKIAIOSFODNN7ANOTHER\naws_secret_access_key = hunter2\n";
        let sso = "sso_start_url = https://s\nsso_region = us-east-1\n";
        for (text, expected) in [
            (
                keys.to_owned(),
                Some("profile p (key AKIAIOSFODNN7ANOTHER)"),
            ),
            (
                keys.replace("AKIAIOSFODNN7ANOTHER", "hunter2"),
                Some("profile p (an access key)"),
            ),
            (
                "role_arn = arn:a\nsource_profile = p\n".to_owned() + keys,
                Some("profile p (role arn:a)"),
            ),
            (
                format!("role_arn = arn:a\nsource_profile = q\n[profile q]\n{keys}"),
                Some("profile p (role arn:a)"),
            ),
            (
                format!(
                    "role_arn = arn:a\nsource_profile = q\n[profile q]\nrole_arn = arn:b\nsource_profile = gone\n{keys}"
                ),
                Some("profile p (role arn:a)"),
            ),
            (
                "role_arn = arn:a\ncredential_source = Environment\n".to_owned(),
                Some("profile p (role arn:a)"),
            ),
            (
                "credential_source = environment\n".to_owned(),
                Some("profile p (key AKIAIOSFODNN7EXAMPLE)"),
            ),
            (
                "credential_source = EcsContainer\n".to_owned(),
                Some("profile p (the container's role)"),
            ),
            (
                "credential_process = /bin/x --password hunter2\n".to_owned(),
                Some("profile p (credential_process)"),
            ),
            (sso.to_owned(), None),
            ("region = us-east-1\n".to_owned(), None),
        ] {
            let found = whose(&format!("[profile p]\n{text}"), "p").unwrap();
            let name = found.map(|whose| match whose {
                Whose::Known(scope) => scope.identity().to_owned(),
                other => panic!("{other:?}"),
            });
            assert_eq!(name.as_deref(), expected, "{text}");
        }
        let instance = "[profile p]\nrole_arn = arn:a\ncredential_source = Ec2InstanceMetadata\n";
        let Ok(Some(Whose::Machine(machine))) = whose(instance, "p") else {
            panic!()
        };
        assert_eq!(
            machine.named("r").identity(),
            "profile p (role arn:a) by the instance role r"
        );
    }

    #[test]
    fn whatever_a_profile_says_of_its_credentials_makes_another_identity() {
        let text = "[profile p]\nrole_arn = arn:a\nsource_profile = q\n[profile q]\naws_access_key_id = A\n\
                    aws_secret_access_key = B\n";
        let of = |text: &str| whose(text, "p").unwrap().unwrap();
        for (from, to) in [
            ("arn:a", "arn:b"),
            ("= A", "= C"),
            ("= B", "= C"),
            ("source_profile = q", "source_profile = q\nexternal_id = x"),
            ("= B", "= B\naws_session_token = x"),
        ] {
            assert_ne!(of(text), of(&text.replace(from, to)), "{from} {to}");
        }
        for same in [
            text.replace(" = ", "="),
            format!("# a remark\n{text}output = json\n[profile r]\nregion = x\n"),
        ] {
            assert_eq!(of(text), of(&same), "{same}");
        }
    }

    #[test]
    fn only_a_profile_that_is_named_must_be_there() {
        assert_eq!(whose("[profile q]\n", "default"), Ok(None));
        assert_eq!(whose("", ""), Ok(None));
        assert!(
            whose("[profile q]\n", "p")
                .unwrap_err()
                .contains("AWS_PROFILE names the profile p, which is not in")
        );
        let env = node("/nowhere", "q");
        let rule = Files::read(&env, Some("p")).and_then(|files| chosen(&files).map(|_| ()));
        assert!(
            rule.unwrap_err()
                .to_string()
                .contains("the rule names the profile p")
        );
    }
}
