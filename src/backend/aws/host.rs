//! What an ECR host name tells: the registry's account, region and partition, and its API endpoint.
//!
//! Hosts: <https://docs.aws.amazon.com/general/latest/gr/ecr.html> and, for dual-stack,
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html>. A FIPS host uses the FIPS endpoint, and
//! a dual-stack host the dual-stack one.

use crate::host::{Host, is_account};

/// A parsed ECR host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EcrHost {
    /// A private registry of an account in a region.
    Private(PrivateRegistry),
    /// The public gallery.
    Public {
        /// Also reachable over IPv6.
        dual_stack: bool,
    },
}

/// A private registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PrivateRegistry {
    /// 12 digits: the registry's id.
    pub(super) account: String,
    pub(super) region: String,
    /// The partition, one of AWS's separate clouds, by its word in ARNs. `GovCloud` shares the commercial cloud's suffix
    /// and counts as a part of it.
    pub(super) partition: &'static str,
    pub(super) fips: bool,
    pub(super) dual_stack: bool,
}

impl EcrHost {
    /// Parses a host; `None` if it isn't an ECR host on port 443.
    pub(super) fn parse(host: &Host) -> Option<Self> {
        if host.port().is_some() {
            return None;
        }
        match host.name() {
            "public.ecr.aws" => Some(Self::Public { dual_stack: false }),
            "ecr-public.aws.com" => Some(Self::Public { dual_stack: true }),
            name => PrivateRegistry::parse(name).map(Self::Private),
        }
    }
}

impl PrivateRegistry {
    fn parse(name: &str) -> Option<Self> {
        let (account, rest) = name
            .split_once('.')
            .filter(|(account, _)| is_account(account))?;
        FORMS.iter().find_map(|&(service, suffix, partition)| {
            let region = rest.strip_prefix(service)?.strip_prefix('.')?;
            let region = region.strip_suffix(suffix)?.strip_suffix('.')?;
            (!region.is_empty() && !region.contains('.')).then(|| Self {
                account: account.to_owned(),
                region: region.to_owned(),
                partition,
                fips: service.ends_with("-fips"),
                dual_stack: suffix.starts_with("on."),
            })
        })
    }

    /// Whether both hosts are names of the same registry. FIPS and dual-stack hosts are.
    pub(super) fn is_same_registry(&self, other: &Self) -> bool {
        (&self.account, &self.region, self.partition)
            == (&other.account, &other.region, other.partition)
    }

    /// Whether the region belongs to this partition. The SDK derives the endpoint from the region alone, so a region of
    /// another partition would send the keys to a different cloud than the host's.
    pub(super) fn has_region_of_its_partition(&self) -> bool {
        partition(&self.region) == self.partition
    }
}

fn partition(region: &str) -> &'static str {
    let known = PREFIXES
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix));
    known.map_or("aws", |(_, partition)| partition)
}

/// The word in an ARN for the partition of a region
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
pub(super) fn arn_partition(region: &str) -> &'static str {
    if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        partition(region)
    }
}

/// The prefixes of each partition's regions, from the SDKs' `partitions.json`. All other regions are commercial.
const PREFIXES: [(&str, &str); 6] = [
    ("cn-", "aws-cn"),
    ("eusc-", "aws-eusc"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
];

/// The forms of a private registry's host, `ACCOUNT.service.REGION.suffix`. A FIPS host's service ends in `-fips`, a
/// dual-stack host's suffix begins with `on.`.
const FORMS: [(&str, &str, &str); 12] = [
    ("dkr.ecr", "amazonaws.com", "aws"),
    ("dkr.ecr-fips", "amazonaws.com", "aws"),
    ("dkr-ecr", "on.aws", "aws"),
    ("dkr-ecr-fips", "on.aws", "aws"),
    ("dkr.ecr", "amazonaws.com.cn", "aws-cn"),
    ("dkr.ecr", "on.amazonwebservices.com.cn", "aws-cn"),
    ("dkr-ecr", "on.amazonwebservices.com.cn", "aws-cn"),
    ("dkr.ecr", "amazonaws.eu", "aws-eusc"),
    ("dkr.ecr", "c2s.ic.gov", "aws-iso"),
    ("dkr.ecr", "sc2s.sgov.gov", "aws-iso-b"),
    ("dkr.ecr", "cloud.adc-e.uk", "aws-iso-e"),
    ("dkr.ecr", "csp.hci.ic.gov", "aws-iso-f"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    fn parse(text: &str) -> Option<EcrHost> {
        EcrHost::parse(&Host::parse(text.as_bytes()).unwrap())
    }

    fn private(text: &str) -> PrivateRegistry {
        match parse(text) {
            Some(EcrHost::Private(registry)) => registry,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn exactly_the_hosts_of_the_tables_aws_row_are_taken_apart() {
        let law = include_str!("../../../tests/fixtures/hosts.tsv");
        let accounts = [
            "123456789012",
            "12345678901",
            "1234567890123",
            "x23456789012",
            "x.123456789012",
        ];
        let services = [
            "dkr.ecr",
            "dkr.ecr-fips",
            "dkr-ecr",
            "dkr-ecr-fips",
            "dkr",
            "api.ecr",
            "dkr.ecrx",
        ];
        let suffixes = [
            "amazonaws.com",
            "amazonaws.com.cn",
            "on.aws",
            "on.amazonwebservices.com.cn",
            "amazonaws.eu",
            "c2s.ic.gov",
            "sc2s.sgov.gov",
            "cloud.adc-e.uk",
            "csp.hci.ic.gov",
            "on.amazonwebservices.eu",
            "amazonaws.com.evil.com",
            "evil.com",
            "xamazonaws.com",
        ];
        let mut made = Vec::new();
        for account in accounts {
            for service in services {
                for suffix in suffixes {
                    made.extend(
                        ["us-east-1.", "a.b.", ""]
                            .map(|region| format!("{account}.{service}.{region}{suffix}")),
                    );
                }
            }
        }
        let fixed = [
            "public.ecr.aws",
            "ecr-public.aws.com",
            "x.public.ecr.aws",
            "public.ecr.aws:8443",
            "ecr.aws",
        ];
        let vectors = law
            .lines()
            .filter_map(|line| line.split('\t').next())
            .map(str::to_owned);
        let mut taken = 0;
        for text in made
            .into_iter()
            .chain(fixed.map(str::to_owned))
            .chain(vectors)
        {
            let Ok(host) = Host::parse(text.as_bytes()) else {
                continue;
            };
            let is_row = Registry::of(&host).name == "aws";
            assert_eq!(EcrHost::parse(&host).is_some(), is_row, "{text}");
            taken += u32::from(is_row);
        }
        assert!(taken > 14, "{taken}");
    }

    #[test]
    fn a_host_says_account_region_partition_and_endpoint() {
        let table = [
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "us-east-1",
                "aws",
                false,
                false,
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
                "aws",
                true,
                false,
            ),
            (
                "123456789012.dkr-ecr.us-west-2.on.aws",
                "us-west-2",
                "aws",
                false,
                true,
            ),
            (
                "123456789012.dkr-ecr-fips.us-west-2.on.aws",
                "us-west-2",
                "aws",
                true,
                true,
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
                "aws-cn",
                false,
                false,
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.on.amazonwebservices.com.cn",
                "cn-north-1",
                "aws-cn",
                false,
                true,
            ),
            (
                "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "us-isob-east-1",
                "aws-iso-b",
                false,
                false,
            ),
        ];
        for (host, region, partition, fips, dual_stack) in table {
            let expected = PrivateRegistry {
                account: "123456789012".to_owned(),
                region: region.to_owned(),
                partition,
                fips,
                dual_stack,
            };
            assert_eq!(private(host), expected, "{host}");
            assert!(expected.has_region_of_its_partition(), "{host}");
            assert_eq!(
                arn_partition(region) == "aws-us-gov",
                region.starts_with("us-gov-"),
                "{host}"
            );
        }
        assert_eq!(
            parse("public.ecr.aws"),
            Some(EcrHost::Public { dual_stack: false })
        );
        assert_eq!(
            parse("ecr-public.aws.com"),
            Some(EcrHost::Public { dual_stack: true })
        );
    }

    #[test]
    fn a_region_of_another_partition_is_noticed() {
        for host in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
            "123456789012.dkr.ecr.us-iso-east-1.sc2s.sgov.gov",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.eu",
        ] {
            assert!(!private(host).has_region_of_its_partition(), "{host}");
        }
    }

    #[test]
    fn fips_and_dual_stack_hosts_are_the_same_registry_other_accounts_are_not() {
        let ordinary = private("123456789012.dkr.ecr.us-east-1.amazonaws.com");
        for same in [
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            "123456789012.dkr-ecr.us-east-1.on.aws",
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
        ] {
            assert!(ordinary.is_same_registry(&private(same)), "{same}");
        }
        for other in [
            "210987654321.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-2.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
        ] {
            assert!(!ordinary.is_same_registry(&private(other)), "{other}");
        }
    }
}
