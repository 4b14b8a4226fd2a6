//! A role to assume, and the tenant's keys.

use aws_credential_types::Credentials;

use super::errors::AwsError;
use super::{PART, POD_ROLES};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::is_account;
use crate::keys::Keys;
use crate::service_account::ServiceAccount;

/// A role, and the external id that its trust policy may require.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
}

/// A secret's keys for AWS.
#[derive(Debug)]
pub(super) struct TenantKeys {
    pub(super) credentials: Credentials,
    pub(super) role: Option<Role>,
}

impl TenantKeys {
    /// Reads the keys of a secret. A tenant wrote them, so any key that would control the node is refused by name.
    pub(super) fn read(keys: &Keys) -> Result<Self, Error> {
        if let Some(name) = keys.names().find(|name| steers_the_node(name)) {
            return Err(AwsError::Steers(name.to_owned()).into());
        }
        let text = |name: &str| keys.get(name).map(Redacted::expose);
        let needed = |name: &'static str| text(name).ok_or(AwsError::Key(name, "is missing"));
        let (id, secret) = (needed(KEY_ID)?, needed(KEY)?);
        let token = text(SESSION_TOKEN);
        if !is_key_id(id) {
            let what = "isn't a valid access key id (16 to 128 letters and digits)";
            return Err(AwsError::Key(KEY_ID, what).into());
        }
        // Values go into HTTP headers and signatures unchanged. A copied line end would cause an obscure error later.
        for (name, value) in [(KEY, Some(secret)), (SESSION_TOKEN, token)] {
            if value.is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic())) {
                let what = "holds a space, a line end or another character that no key has";
                return Err(AwsError::Key(name, what).into());
            }
        }
        let names = [ROLE_ARN, EXTERNAL_ID];
        let role =
            Role::read(names, names.map(text)).map_err(|(key, what)| AwsError::Key(key, what))?;
        let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "secret");
        Ok(Self { credentials, role })
    }
}

impl Role {
    /// The operator's role, if a rule has one.
    pub(super) fn of_settings(
        arn: Option<&str>,
        external_id: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        Self::read(["role_arn", "external_id"], [arn, external_id])
            .map_err(|(setting, what)| AwsError::Rule(setting, what).into())
    }

    /// Validates a role and its external id. The names are used in errors.
    fn read(
        names: [&'static str; 2],
        [arn, external_id]: [Option<&str>; 2],
    ) -> Result<Option<Self>, (&'static str, &'static str)> {
        let Some(arn) = arn else { return Ok(None) };
        if !is_role_arn(arn) {
            return Err((
                names[0],
                "isn't a valid role ARN, such as arn:aws:iam::123456789012:role/puller",
            ));
        }
        if external_id.is_some_and(|id| !is_external_id(id)) {
            return Err((
                names[1],
                "isn't a valid external id (2 to 1224 letters, digits and _+=,.@:/-)",
            ));
        }
        Ok(Some(Self {
            arn: arn.to_owned(),
            external_id: external_id.map(str::to_owned),
        }))
    }
}

/// The role in a pod's service account: the one only for pulling, or else the pod's own. A tenant wrote it; the role's
/// trust policy decides whether the pod may assume it.
pub(super) fn role_of_pod<'a>(
    account: &'a ServiceAccount,
    partition: &str,
) -> Result<&'a str, Error> {
    let found = POD_ROLES
        .iter()
        .find_map(|name| Some((*name, account.annotation(name)?)));
    let (name, arn) = found.ok_or_else(|| AwsError::NoRole(account.to_string()))?;
    let wrong = |what: &'static str, fix: &str| account.wrong_annotation(PART, name, what, fix);
    if !is_role_arn(arn) {
        return Err(wrong(
            "isn't a valid role ARN",
            "set it to one such as arn:aws:iam::123456789012:role/puller",
        ));
    }
    if arn.split(':').nth(1) != Some(partition) {
        let fix = format!("name a role in the registry's own partition: arn:{partition}:iam::…");
        return Err(wrong(
            "names a role of another AWS partition than the registry is in",
            &fix,
        ));
    }
    Ok(arn)
}

/// Variables that make an AWS SDK read files, run programs, call other addresses or trust other authorities.
fn steers_the_node(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    STEERING.contains(&name.as_str())
        || STEERING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html>
pub(super) fn is_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
fn is_role_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let is_role = resource.strip_prefix("role/").is_some_and(|path| {
        !path.is_empty()
            && path
                .split('/')
                .all(|name| !name.is_empty() && name.bytes().all(word))
    });
    let is_plain = partition
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    arn == "arn"
        && service == "iam"
        && region.is_empty()
        && is_partition
        && is_plain
        && is_account(account)
        && is_role
        && text.len() <= 2048
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte))
}

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const ROLE_ARN: &str = "AWS_ROLE_ARN";
const EXTERNAL_ID: &str = "AWS_EXTERNAL_ID";
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>
const STEERING: [&str; 12] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];
const STEERING_PREFIXES: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_CONTAINER_",
    "AWS_EC2_METADATA_",
    "AWS_METADATA_SERVICE_",
    "AWS_LOGIN_",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_account::tests::test_account;

    fn read(more: &[(&str, &str)]) -> Result<TenantKeys, String> {
        let mut keys = Keys::default();
        let pair = [
            (KEY_ID, "AKIAIOSFODNN7EXAMPLE"),
            (KEY, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ];
        for (name, value) in more.iter().chain(&pair) {
            keys.insert(name, (*value).into()).unwrap();
        }
        TenantKeys::read(&keys).map_err(|error| error.to_string())
    }

    #[test]
    fn what_would_steer_the_node_is_refused_by_name() {
        for name in STEERING.into_iter().chain([
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_ECR",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "https_proxy",
        ]) {
            let error = read(&[(name, "hunter2")]).unwrap_err();
            assert!(
                error.starts_with(&format!("its secret: {name} controls the node")),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_pods_role_is_the_one_for_pulling_or_its_own_and_of_the_registrys_partition() {
        let (ecr, own) = (POD_ROLES[0], POD_ROLES[1]);
        let role = |annotations: &[(&str, &str)], partition: &str| {
            let account = test_account(annotations);
            role_of_pod(&account, partition)
                .map(str::to_owned)
                .map_err(|error| error.to_string())
        };
        let (a, b) = (
            "arn:aws:iam::123456789012:role/a",
            "arn:aws:iam::123456789012:role/team/b",
        );
        assert_eq!(role(&[(own, b)], "aws").unwrap(), b);
        assert_eq!(role(&[(own, b), (ecr, a)], "aws").unwrap(), a);
        for (partition, prefix) in [
            ("aws-cn", "aws-cn"),
            ("aws-us-gov", "aws-us-gov"),
            ("aws-iso-b", "aws-iso-b"),
        ] {
            let arn = a.replace("arn:aws:", &format!("arn:{prefix}:"));
            assert_eq!(role(&[(own, &arn)], partition).unwrap(), arn);
            let error = role(&[(own, a)], partition).unwrap_err();
            assert!(error.contains(&format!("another AWS partition than the registry is in; name a role in the registry's own partition: arn:{prefix}:")), "{error}");
        }
        for arn in [
            "hunter2",
            "arn:aws:iam::123456789012:user/puller",
            "arn:aws:sts::123456789012:assumed-role/a/b",
            "arn:aws:iam::12345678901:role/puller",
            "arn:aws:iam:us-east-1:123456789012:role/puller",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/hunter2 b",
            "arn:aws:iam::123456789012:role/hunter2&Action=GetCallerIdentity",
            "arn:aws:iam::123456789012:role/a\nhunter2",
            " arn:aws:iam::123456789012:role/a",
        ] {
            let error = role(&[(ecr, arn)], "aws").unwrap_err();
            assert!(error.starts_with("backend aws: the annotation eks.amazonaws.com/ecr-role-arn of the service account pulls/puller isn't a valid role ARN;"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(
            role(&[(own, "")], "aws")
                .unwrap_err()
                .contains("pulls/puller names no role; annotate it with")
        );
    }

    #[test]
    fn keys_that_steer_nothing_are_ignored() {
        for name in [
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCOUNT_ID",
            "AWS_ROLE_SESSION_NAME",
            "OTHER",
        ] {
            assert!(read(&[(name, "x")]).unwrap().role.is_none(), "{name}");
        }
    }

    #[test]
    fn a_role_and_an_external_id_are_checked_before_anybody_is_asked() {
        let arn = "arn:aws-us-gov:iam::123456789012:role/team/puller@x";
        let role = read(&[(ROLE_ARN, arn), (EXTERNAL_ID, "a:b/c")])
            .unwrap()
            .role;
        assert_eq!(
            role,
            Some(Role {
                arn: arn.to_owned(),
                external_id: Some("a:b/c".to_owned())
            })
        );
        for bad in [
            "puller",
            "arn:aws:iam::123456789012:user/puller",
            "arn:aws:iam::12345678901:role/puller",
            "arn:aws:iam:us-east-1:123456789012:role/puller",
            "arn:aws:sts::123456789012:role/puller",
            "arn:evil:iam::123456789012:role/puller",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role//puller",
            "arn:aws:iam::123456789012:role/hunter2\n",
        ] {
            let error = read(&[(ROLE_ARN, bad)]).unwrap_err();
            assert!(
                error.starts_with("its secret: AWS_ROLE_ARN isn't a valid role ARN")
                    && !error.contains("hunter2")
            );
        }
        for bad in ["x", "hunter2 hunter2"] {
            let error = read(&[(ROLE_ARN, arn), (EXTERNAL_ID, bad)]).unwrap_err();
            assert!(
                error.starts_with("its secret: AWS_EXTERNAL_ID isn't a valid external id")
                    && !error.contains("hunter2")
            );
        }
    }

    #[test]
    fn keys_that_no_request_can_carry_are_refused_without_being_shown() {
        let table = [
            (KEY_ID, "hunter2"),
            (KEY, "hunter2\n"),
            (SESSION_TOKEN, "hunter2 x"),
        ];
        for (name, value) in table {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("its secret: {name} ")) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
