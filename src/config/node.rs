//! `Node`: what determines the node's cloud identity: the clouds' own variables, and the kind of machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::env::{Env, absolute};
use crate::credential::Redacted;
use crate::error::Error;
use crate::trusted::{self, Readers};

/// The variables of the clouds' own tools, and the firmware's description of the machine.
#[derive(Debug, Default)]
pub struct Node {
    variables: BTreeMap<&'static str, Redacted>,
    home: Option<PathBuf>,
    /// Where the kernel describes the machine; `None` if nowhere.
    sysfs: Option<PathBuf>,
    foreign_home: bool,
}

impl Node {
    pub(super) fn read(env: &Env) -> Result<Self, Error> {
        let mut variables = BTreeMap::new();
        for name in VARIABLES.split(' ') {
            if let Some(value) = env.secret(name)? {
                variables.insert(name, value);
            }
        }
        let foreign_home = env.foreign_home().is_some();
        Ok(Self {
            variables,
            home: env.home(),
            sysfs: Some(SYSFS.into()),
            foreign_home,
        })
    }

    /// The same node, with this directory in place of `/sys`.
    pub fn described_in(self, sysfs: impl Into<PathBuf>) -> Self {
        Self {
            sysfs: Some(sysfs.into()),
            ..self
        }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&Redacted> {
        self.variables.get(name)
    }

    /// Whether `HOME` belongs to another user, so that SDKs that use it would look in the wrong place.
    pub fn has_foreign_home(&self) -> bool {
        self.foreign_home
    }

    /// The file that a variable names, with `~` expanded.
    pub fn file(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let path = match (value.expose().strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(value.expose()),
        };
        absolute(name, path).map(Some)
    }

    /// A file below the home directory, if there is one.
    pub fn at_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }

    /// Whether this is a machine of that cloud according to the firmware. An unreadable description counts as yes, so
    /// that the metadata service is asked.
    pub fn is_machine_of(&self, cloud: &str) -> bool {
        let Some(sysfs) = &self.sysfs else {
            return false;
        };
        MACHINES
            .iter()
            .filter(|(of, ..)| *of == cloud)
            .any(|(_, file, says)| {
                match trusted::read_system(&sysfs.join(file), Readers::Anybody, 4096) {
                    Ok(Some(text)) => matches(text.trim_ascii(), says),
                    Ok(None) => false,
                    Err(_) => true,
                }
            })
    }
}

/// Compares a text with a pattern, in which a final `*` matches anything.
fn matches(text: &[u8], pattern: &str) -> bool {
    let (text, pattern) = match pattern.strip_suffix('*') {
        Some(start) => (text.get(..start.len()).unwrap_or_default(), start),
        None => (text, pattern),
    };
    text.eq_ignore_ascii_case(pattern.as_bytes())
}

const SYSFS: &str = "/sys";
/// AWS: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>. Google:
/// <https://docs.cloud.google.com/compute/docs/instances/detect-compute-engine>. Azure's asset tag is the same on all of its
/// machines (<https://github.com/canonical/cloud-init/blob/main/tools/ds-identify>).
const MACHINES: [(&str, &str, &str); 6] = [
    ("aws", "class/dmi/id/sys_vendor", "Amazon EC2"),
    ("aws", "class/dmi/id/bios_vendor", "Amazon EC2"),
    ("aws", "hypervisor/uuid", "ec2*"),
    ("gcp", "class/dmi/id/product_name", "Google Compute Engine"),
    ("gcp", "class/dmi/id/product_name", "Google"),
    ("azure", "class/dmi/id/chassis_asset_tag", AZURE_TAG),
];
const AZURE_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

const VARIABLES: &str = "\
    AWS_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME \
    AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI \
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN \
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY SECRET_ACCESS_KEY \
    AWS_SESSION_TOKEN AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_SERVICE_ENDPOINT \
    AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE AWS_CA_BUNDLE GOOGLE_APPLICATION_CREDENTIALS \
    CLOUDSDK_CONFIG GCE_METADATA_HOST AZURE_CLIENT_ID AZURE_CLIENT_SECRET \
    AZURE_CLIENT_CERTIFICATE_PATH AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST \
    IDENTITY_ENDPOINT MSI_ENDPOINT";

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Node) {
        let sysfs = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = sysfs.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let node = Node::default().described_in(sysfs.path());
        (sysfs, node)
    }

    #[test]
    fn a_machine_is_its_clouds_by_what_the_firmware_says_and_by_nothing_else() {
        let id = "class/dmi/id/";
        let clouds = |file: &str, text: &str| {
            let (_sysfs, node) = machine(&[(file, text)]);
            ["aws", "gcp", "azure"]
                .into_iter()
                .filter(|cloud| node.is_machine_of(cloud))
                .collect::<Vec<_>>()
        };
        for (file, text, expected) in [
            ("sys_vendor", "Amazon EC2\n", "aws"),
            ("bios_vendor", "Amazon EC2\n", "aws"),
            ("product_name", "Google Compute Engine\n", "gcp"),
            ("product_name", "Google\n", "gcp"),
            (
                "chassis_asset_tag",
                "7783-7084-3265-9085-8269-3286-77\n",
                "azure",
            ),
        ] {
            assert_eq!(clouds(&format!("{id}{file}"), text), [expected], "{file}");
        }
        assert_eq!(
            clouds("hypervisor/uuid", "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n"),
            ["aws"]
        );
        for (file, text) in [
            ("sys_vendor", "Amazon EC2 not\n"),
            ("sys_vendor", "Microsoft Corporation\n"),
            ("product_name", "Googled\n"),
            ("chassis_asset_tag", "7783\n"),
            ("product_name", "\n"),
        ] {
            assert!(
                clouds(&format!("{id}{file}"), text).is_empty(),
                "{file} {text}"
            );
        }
        assert!(clouds("hypervisor/uuid", "e\n").is_empty());
        assert!(!Node::default().is_machine_of("aws"));
    }

    #[test]
    fn a_description_that_cannot_be_read_may_be_the_clouds() {
        let (sysfs, node) = machine(&[]);
        assert!(!node.is_machine_of("gcp"));
        std::fs::create_dir_all(sysfs.path().join("class/dmi/id/product_name")).unwrap();
        assert!(node.is_machine_of("gcp") && !node.is_machine_of("azure"));
    }

    #[test]
    fn a_file_is_named_by_its_whole_path_or_from_the_home_directory() {
        let env = Env::of([
            ("HOME", "/home/octo"),
            ("AWS_CONFIG_FILE", "~/a"),
            ("CLOUDSDK_CONFIG", "gcloud"),
        ]);
        let node = Node::read(&env).unwrap();
        assert_eq!(
            node.file("AWS_CONFIG_FILE").unwrap(),
            Some("/home/octo/a".into())
        );
        assert_eq!(node.file("AZURE_FEDERATED_TOKEN_FILE").unwrap(), None);
        let error = node.file("CLOUDSDK_CONFIG").unwrap_err().to_string();
        assert_eq!(
            error,
            "CLOUDSDK_CONFIG: it is not an absolute path; give the whole path, from /"
        );
        assert_eq!(
            node.at_home(".aws/config"),
            Some("/home/octo/.aws/config".into())
        );
    }
}
