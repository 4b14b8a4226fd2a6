//! The identity that logs in.
//!
//! A tenant writes secrets, so a secret may only contain an application with its client secret, and can't name a file,
//! an address or another authority. The node's own identity is the operator's, and may.
//!
//! <https://azure.github.io/azure-workload-identity/docs/topics/azwi/mutating-admission-webhook.html>

use std::path::Path;
use std::sync::Arc;

use azure_core::cloud::CloudConfiguration;

use super::authority::{App, authority, cloud_of};
use super::certificate::Certificate;
use super::errors::AzureError;
use super::{CERTIFICATE, PART, POD_CLIENT_ID, TOKEN_FILE, read};
use crate::backend::Login;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::http::Cleartext;
use crate::keys::Keys;
use crate::service_account::ServiceAccount;

/// The identity that logs in.
pub(super) enum Identity {
    /// An application, and how it proves that it is that.
    App(App, Proof),
    /// A managed identity: user-assigned with this client id, else system-assigned.
    Managed(Option<String>),
}

/// The proof of an application.
pub(super) enum Proof {
    /// A client secret.
    Secret(Redacted),
    Certificate(Certificate),
    /// Another issuer's token, such as a cluster's token for a workload or a pod.
    Token(Redacted),
}

impl Identity {
    /// The identity for a login; `None` if the node should log in but has no Azure identity.
    pub(super) fn of(login: &Login) -> Result<Option<Self>, Error> {
        let cloud = cloud_of(login.host)?;
        match (login.keys, login.pod) {
            (Some(keys), _) => Self::of_secret(keys, cloud).map(Some),
            (None, Some(account)) => Self::of_pod(account, login.node, cloud).map(Some),
            (None, None) => Self::of_node(login.node, cloud),
        }
    }

    /// A tenant wrote the annotations, which name only an application and its directory. The application's federated
    /// credentials decide whether the pod may use it.
    fn of_pod(
        account: &ServiceAccount,
        node: &Node,
        cloud: CloudConfiguration,
    ) -> Result<Self, Error> {
        let guid = |name, fix: &str| match account.annotation(name).map(str::to_ascii_lowercase) {
            Some(id) if !is_guid(&id) => {
                Err(account.wrong_annotation(PART, name, "isn't a GUID", fix))
            }
            id => Ok(id),
        };
        let client_id = guid(POD_CLIENT_ID, COPY_CLIENT_ID)?
            .ok_or_else(|| AzureError::NoApplication(account.to_string()))?;
        let tenant = match guid(POD_TENANT_ID, COPY_TENANT_ID)? {
            Some(tenant) => tenant,
            None => Source {
                place: "kubelet's environment",
                together: POD_TENANT,
                value: &|name| node.get(name),
            }
            .tenant()?,
        };
        let app = App {
            tenant,
            client_id,
            cloud: Arc::new(authority(node)?.unwrap_or(cloud)),
        };
        Ok(Self::App(app, Proof::Token(account.token().clone())))
    }

    fn of_secret(keys: &Keys, cloud: CloudConfiguration) -> Result<Self, Error> {
        if let Some(key) = keys.names().find(|key| steers(key)) {
            return Err(AzureError::Steers(key.to_owned()).into());
        }
        let together =
            "a secret for Azure holds AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID";
        let source = Source {
            place: "the secret",
            together,
            value: &|name| keys.get(name),
        };
        let app = source.app(cloud)?;
        Ok(Self::App(app, Proof::Secret(source.client_secret()?)))
    }

    fn of_node(node: &Node, cloud: CloudConfiguration) -> Result<Option<Self>, Error> {
        let source = Source {
            place: "the node's environment",
            together: TOGETHER,
            value: &|name| node.get(name),
        };
        let app = || source.app(authority(node)?.unwrap_or(cloud));
        if let Some(path) = node.file(TOKEN_FILE)? {
            return Ok(Some(Self::App(app()?, Proof::Token(token(&path)?))));
        }
        if node.get(CLIENT_SECRET).is_some() {
            let app = app()?;
            return Ok(Some(Self::App(app, Proof::Secret(source.client_secret()?))));
        }
        if let Some(path) = node.file(CERTIFICATE)? {
            let proof = Proof::Certificate(Certificate::read(&path)?);
            return Ok(Some(Self::App(app()?, proof)));
        }
        let client_id = node.get(CLIENT_ID).map(|_| source.client_id());
        let client_id = client_id.transpose()?;
        let is_managed = client_id.is_some()
            || ENDPOINTS.iter().any(|name| node.get(name).is_some())
            || node.is_machine_of("azure");
        Ok(is_managed.then_some(Self::Managed(client_id)))
    }

    /// Where plain HTTP is allowed: metadata services don't support TLS.
    pub(super) fn cleartext(&self) -> Cleartext {
        match self {
            Self::App(..) => Cleartext::Never,
            Self::Managed(_) => Cleartext::Node,
        }
    }

    /// The tenant's GUID, which the registry compares with the token's. Without it, the registry uses the token's.
    pub(super) fn tenant_guid(&self) -> Option<&str> {
        match self {
            Self::App(app, _) => Some(app.tenant.as_str()).filter(|id| is_guid(id)),
            Self::Managed(_) => None,
        }
    }
}

/// Reads a token from a file that is renewed in place.
fn token(path: &Path) -> Result<Redacted, Error> {
    let bytes = read(path)?;
    let text = bytes
        .as_deref()
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .map(str::trim);
    let token = text.filter(|text| !text.is_empty()).map(Redacted::from);
    Ok(token.ok_or_else(|| AzureError::TokenFile {
        path: path.to_owned(),
        what: match bytes {
            Some(_) => "holds no token",
            None => "does not exist",
        },
    })?)
}

/// The source of an application's variables, and its name in errors.
struct Source<'a> {
    place: &'static str,
    together: &'static str,
    value: &'a dyn Fn(&str) -> Option<&'a Redacted>,
}

impl<'a> Source<'a> {
    fn app(&self, cloud: CloudConfiguration) -> Result<App, AzureError> {
        Ok(App {
            tenant: self.tenant()?,
            client_id: self.client_id()?,
            cloud: Arc::new(cloud),
        })
    }

    fn client_id(&self) -> Result<String, AzureError> {
        let id = self.need(CLIENT_ID)?.expose().to_ascii_lowercase();
        if is_guid(&id) {
            return Ok(id);
        }
        Err(self.wrong(CLIENT_ID, "isn't a GUID", COPY_CLIENT_ID))
    }

    fn tenant(&self) -> Result<String, AzureError> {
        let tenant = self.need(TENANT_ID)?.expose().to_ascii_lowercase();
        if is_guid(&tenant) || is_domain(&tenant) {
            return Ok(tenant);
        }
        let what = "is neither a GUID nor a domain name";
        Err(self.wrong(TENANT_ID, what, COPY_TENANT_ID))
    }

    fn client_secret(&self) -> Result<Redacted, AzureError> {
        let secret = self.need(CLIENT_SECRET)?;
        if secret.expose().contains(char::is_control) {
            let what = "holds a control character (a line end copied along with it?)";
            return Err(self.wrong(CLIENT_SECRET, what, "set it again"));
        }
        Ok(secret.clone())
    }

    fn need(&self, name: &'static str) -> Result<&'a Redacted, AzureError> {
        let (place, together) = (self.place, self.together);
        (self.value)(name).ok_or(AzureError::Missing {
            name,
            place,
            together,
        })
    }

    fn wrong(&self, name: &'static str, what: &'static str, fix: &'static str) -> AzureError {
        let place = self.place;
        AzureError::Invalid {
            name,
            place,
            what,
            fix,
        }
    }
}

/// Whether this is a key of Azure's tools that names a file or a server.
fn steers(key: &str) -> bool {
    let key = key.to_ascii_uppercase();
    STEERING_PREFIXES
        .iter()
        .any(|prefix| key.starts_with(prefix))
        || key.starts_with("AZURE_") && STEERING_WORDS.iter().any(|word| key.contains(word))
}

pub(super) fn is_guid(text: &str) -> bool {
    let mut groups = text.split('-');
    [8, 4, 4, 4, 12].into_iter().all(|length| {
        groups.next().is_some_and(|group| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }) && groups.next().is_none()
}

/// Whether this is a domain that a tenant may have verified. It goes into a URL, so it must be a plain host name.
fn is_domain(text: &str) -> bool {
    let named = |label: &str| label.bytes().any(|byte| byte.is_ascii_alphabetic());
    text.contains('.')
        && text.rsplit('.').next().is_some_and(named)
        && Host::parse(text.as_bytes())
            .is_ok_and(|host| host.as_str() == text && host.port().is_none())
}

const POD_TENANT_ID: &str = "azure.workload.identity/tenant-id";
const POD_TENANT: &str = "annotate the service account with azure.workload.identity/tenant-id, or set it for all of them";
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
pub(super) const TENANT_ID: &str = "AZURE_TENANT_ID";
const COPY_CLIENT_ID: &str = "copy the application (client) ID from its overview";
const COPY_TENANT_ID: &str = "copy the directory (tenant) ID from the application's overview";
/// Variables of managed identities outside of virtual machines.
pub(super) const ENDPOINTS: [&str; 2] = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"];
const TOGETHER: &str = "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_SECRET or \
                        AZURE_CLIENT_CERTIFICATE_PATH go together";

const STEERING_PREFIXES: [&str; 3] = ["IDENTITY_", "IMDS_", "MSI_"];
const STEERING_WORDS: [&str; 10] = [
    "AUTHORITY",
    "CERTIFICATE",
    "ENDPOINT",
    "_CONFIG",
    "_DIR",
    "_FILE",
    "_HOST",
    "_PATH",
    "_URI",
    "_URL",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::test_login;
    use crate::service_account::tests::test_account;

    const TENANT: &str = "11111111-2222-4333-8444-555555555555";
    const CLIENT: &str = "AAAAAAAA-0000-4000-8000-000000000001";

    fn keys(more: &[(&str, &str)]) -> Keys {
        let mut keys = Keys::default();
        for (name, value) in more {
            keys.insert(name, (*value).into()).unwrap();
        }
        for (name, value) in [
            (CLIENT_ID, CLIENT),
            (CLIENT_SECRET, "hunter2"),
            (TENANT_ID, TENANT),
        ] {
            keys.insert(name, value.into()).unwrap();
        }
        keys
    }

    fn refusal(host: &str, keys: &Keys) -> String {
        Identity::of(&test_login(host, keys))
            .err()
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_secret_is_an_application_of_its_registrys_own_cloud() {
        for (host, cloud) in [
            ("myreg.azurecr.io", CloudConfiguration::AzurePublic),
            (
                "demo-abc.eastus2.geo.azurecr.io",
                CloudConfiguration::AzurePublic,
            ),
            ("myreg.azurecr.cn", CloudConfiguration::AzureChina),
            ("myreg.azurecr.us", CloudConfiguration::AzureGovernment),
        ] {
            let keys = keys(&[]);
            let Some(Identity::App(app, Proof::Secret(secret))) =
                Identity::of(&test_login(host, &keys)).unwrap()
            else {
                panic!()
            };
            assert_eq!(
                (app.tenant.as_str(), app.client_id),
                (TENANT, CLIENT.to_ascii_lowercase())
            );
            assert_eq!(
                (secret.expose(), &*app.cloud),
                ("hunter2", &cloud),
                "{host}"
            );
        }
    }

    #[test]
    fn a_host_outside_azure_gets_no_token_even_when_a_rule_forces_the_backend() {
        for host in [
            "registry.example.com",
            "myreg.azurecr.io:8443",
            "azurecr.io",
            "myreg.azurecr.io.evil.com",
            "evilazurecr.io",
        ] {
            assert!(
                refusal(host, &keys(&[])).contains("it isn't an Azure registry"),
                "{host}"
            );
        }
    }

    #[test]
    fn a_secret_that_would_steer_the_node_is_refused_by_the_keys_name() {
        for key in [
            "AZURE_AUTHORITY_HOST",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_CLIENT_CERTIFICATE_PATH",
            "AZURE_CLIENT_CERTIFICATE_PASSWORD",
            "AZURE_CONFIG_DIR",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            "AZURE_REGIONAL_AUTHORITY_NAME",
            "AZURE_LOGIN_URL",
            "AZURE_TOKEN_URI",
            "IDENTITY_ENDPOINT",
            "IDENTITY_HEADER",
            "IMDS_ENDPOINT",
            "MSI_ENDPOINT",
            "MSI_SECRET",
            "azure_authority_host",
        ] {
            let text = refusal("myreg.azurecr.io", &keys(&[(key, "hunter2")]));
            assert!(
                text.starts_with(&format!("backend azure: a secret may not say {key};")),
                "{text}"
            );
            assert!(!text.contains("hunter2"));
        }
        let harmless = keys(&[
            ("AZURE_SUBSCRIPTION_ID", TENANT),
            ("AWS_REGION", "us-east-1"),
        ]);
        assert!(Identity::of(&test_login("myreg.azurecr.io", &harmless)).is_ok());
    }

    #[test]
    fn what_goes_into_a_url_is_a_guid_or_a_domain_and_nothing_else() {
        for tenant in [
            "common",
            "../x",
            "a.b/c",
            "1.2.3.4",
            "evil.com:8443",
            "a@b.c",
            "a..b",
            "x\n.com",
            "%2e.com",
            &TENANT[1..],
        ] {
            let text = refusal("myreg.azurecr.io", &keys(&[(TENANT_ID, tenant)]));
            assert!(
                text.contains("AZURE_TENANT_ID in the secret is neither a GUID nor a domain name"),
                "{text}"
            );
        }
        for client in [
            "app",
            "aaaaaaaa-0000-4000-8000-00000000000g",
            "aaaaaaaa-0000-4000-8000-000000000001-",
        ] {
            let text = refusal("myreg.azurecr.io", &keys(&[(CLIENT_ID, client)]));
            assert!(
                text.contains("AZURE_CLIENT_ID in the secret isn't a GUID"),
                "{text}"
            );
        }
        let text = refusal("myreg.azurecr.io", &keys(&[(CLIENT_SECRET, "hunter2\n")]));
        assert!(
            text.contains("AZURE_CLIENT_SECRET in the secret holds a control character"),
            "{text}"
        );
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn a_tenant_may_be_a_domain_and_then_the_registry_finds_its_guid_in_the_token() {
        for (tenant, told) in [("Contoso.onmicrosoft.com", None), (TENANT, Some(TENANT))] {
            let keys = keys(&[(TENANT_ID, tenant)]);
            let identity = Identity::of(&test_login("myreg.azurecr.io", &keys))
                .unwrap()
                .unwrap();
            assert_eq!(identity.tenant_guid(), told);
        }
    }

    #[test]
    fn a_missing_tenant_is_named() {
        let mut keys = Keys::default();
        keys.insert(CLIENT_ID, CLIENT.into()).unwrap();
        keys.insert(CLIENT_SECRET, "hunter2".into()).unwrap();
        let text = refusal("myreg.azurecr.io", &keys);
        assert!(
            text.starts_with("backend azure: AZURE_TENANT_ID is not in the secret;"),
            "{text}"
        );
    }

    #[test]
    fn a_pods_application_and_directory_are_guids_and_nothing_else_of_it_counts() {
        let pod = |annotations: &[(&str, &str)], host: &str| {
            let (account, empty) = (test_account(annotations), Keys::default());
            let login = Login {
                keys: None,
                pod: Some(&account),
                ..test_login(host, &empty)
            };
            match Identity::of(&login) {
                Ok(Some(Identity::App(app, _))) => {
                    Ok((app.tenant, app.client_id, (*app.cloud).clone()))
                }
                Ok(_) => panic!("not the pod's"),
                Err(error) => Err(error.to_string()),
            }
        };
        let (client, tenant) = ((POD_CLIENT_ID, CLIENT), (POD_TENANT_ID, TENANT));
        let steering = (
            "azure.workload.identity/authority-host",
            "https://evil.example",
        );
        let expected = (
            TENANT.to_owned(),
            CLIENT.to_ascii_lowercase(),
            CloudConfiguration::AzureChina,
        );
        assert_eq!(
            pod(&[client, tenant, steering], "myreg.azurecr.cn").unwrap(),
            expected
        );
        assert!(
            pod(&[client], "myreg.azurecr.io")
                .unwrap_err()
                .contains("AZURE_TENANT_ID is not in kubelet's")
        );
        assert!(
            pod(&[tenant], "myreg.azurecr.io")
                .unwrap_err()
                .contains("pulls/puller names no application")
        );
        for wrong in [
            "common",
            "contoso.onmicrosoft.com",
            "../x",
            "hunter2\n",
            &TENANT[1..],
        ] {
            for (annotations, name) in [
                ([client, (POD_TENANT_ID, wrong)], POD_TENANT_ID),
                ([(POD_CLIENT_ID, wrong), tenant], POD_CLIENT_ID),
            ] {
                let text = pod(&annotations, "myreg.azurecr.io").unwrap_err();
                let begin = format!(
                    "backend azure: the annotation {name} of the service account pulls/puller isn't a GUID;"
                );
                assert!(text.starts_with(&begin) && !text.contains(wrong), "{text}");
            }
        }
        assert!(
            pod(&[client, tenant], "registry.example.com")
                .unwrap_err()
                .contains("an Azure registry")
        );
    }
}
