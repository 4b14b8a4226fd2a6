//! Decides which token server a registry's credential may be sent to. A registry can name any; only its own host, the
//! one that its vendor documents, and those that the operator trusts are accepted.

use crate::host::Host;
use crate::registry::Registry;

/// The host of a token server's URL; `None` if a credential must never be sent to such a URL. `base` is the registry's
/// URL: only a registry without TLS, on this node, may have a token server without TLS.
pub(super) fn token_host(realm: &str, base: &str) -> Option<Host> {
    let secure = realm.strip_prefix("https://");
    let rest = if base.starts_with("http://") {
        secure.or_else(|| realm.strip_prefix("http://"))
    } else {
        secure
    }?;
    Host::parse(rest.split(['/', '?', '#']).next()?.as_bytes()).ok()
}

/// Whether the credential may be sent to the token server at this host.
pub(super) fn is_covered(token_host: &Host, registry: &Host, vouched: &[Host], base: &str) -> bool {
    // GitLab's token server is on 443 and its registry on another port. Any other port may be another tenant's, unless
    // the registry is on this node.
    let same_name = token_host.name() == registry.name();
    let own = same_name
        && (token_host.port() == registry.port()
            || token_host.port().is_none()
            || base.starts_with("http://"));
    own || vouched.contains(token_host)
        || documented(registry)
            .iter()
            .any(|host| host == token_host.as_str())
}

fn documented(registry: &Host) -> Vec<String> {
    let class = Registry::of(registry).name;
    let region = registry.name().split('.').nth(1).unwrap_or_default();
    let rows = TOKEN_HOSTS.iter().filter(|(name, _)| *name == class);
    rows.flat_map(|(_, hosts)| hosts.iter())
        .map(|host| host.replace("{region}", region))
        .collect()
}

/// Rows of the table of registries whose token server has a different host. `{region}` is the second label of the
/// registry's host; a star would also match names that the vendor's customers can choose.
const TOKEN_HOSTS: &[(&str, &[&str])] = &[
    ("dockerhub", &["auth.docker.io"]),
    ("gitlab", &["gitlab.com"]),
    ("digitalocean", &["api.digitalocean.com"]),
    ("scaleway", &["api.scaleway.com"]),
    (
        "alibaba",
        &[
            "dockerauth.{region}.aliyuncs.com",
            "dockerauth-ee.{region}.aliyuncs.com",
            "dockerauth-{region}.aliyuncs.com",
            // Many regions of the shared edition use this one.
            "dockerauth.cn-hangzhou.aliyuncs.com",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_credential_goes_to_the_registrys_own_token_server_and_to_no_other() {
        let table = [
            ("https://auth.docker.io/token", "docker.io", true),
            ("https://gitlab.com/jwt/auth", "registry.gitlab.com", true),
            (
                "https://api.digitalocean.com/v2/registry/auth",
                "registry.digitalocean.com",
                true,
            ),
            (
                "https://api.scaleway.com/registry-internal/v1/regions/fr-par/tokens",
                "rg.fr-par.scw.cloud",
                true,
            ),
            (
                "https://dockerauth.cn-beijing.aliyuncs.com/auth",
                "registry.cn-beijing.aliyuncs.com",
                true,
            ),
            (
                "https://dockerauth.cn-hangzhou.aliyuncs.com/auth",
                "registry.cn-beijing.aliyuncs.com",
                true,
            ),
            (
                "https://dockerauth-ee.cn-beijing.aliyuncs.com/auth",
                "x-registry.cn-beijing.cr.aliyuncs.com",
                true,
            ),
            (
                "https://dockerauth.oss-cn-beijing.aliyuncs.com/auth",
                "registry.cn-beijing.aliyuncs.com",
                false,
            ),
            ("https://ghcr.io/token", "ghcr.io", true),
            ("https://GHCR.IO:443/token", "ghcr.io", true),
            (
                "https://gitlab.example.com/jwt/auth",
                "gitlab.example.com:5050",
                true,
            ),
            (
                "https://gitlab.example.com:8443/jwt/auth",
                "gitlab.example.com:5050",
                false,
            ),
            ("https://vouched.example:8443/token", "ghcr.io", true),
            ("https://vouched.example/token", "ghcr.io", false),
            ("https://auth.docker.io/token", "ghcr.io", false),
            ("https://auth.docker.io/token", "docker.io:5000", false),
            ("https://auth.docker.io:8443/token", "docker.io", false),
            ("https://evil.auth.docker.io/token", "docker.io", false),
        ];
        let vouched = [host("vouched.example:8443")];
        for (realm, registry, covered) in table {
            let token = token_host(realm, "https://registry").unwrap();
            assert_eq!(
                is_covered(&token, &host(registry), &vouched, "https://registry"),
                covered,
                "{realm} {registry}"
            );
        }
        let near = token_host("http://127.0.0.1:5001/token", "http://127.0.0.1:5000").unwrap();
        assert!(is_covered(
            &near,
            &host("127.0.0.1:5000"),
            &[],
            "http://127.0.0.1:5000"
        ));
    }

    #[test]
    fn what_is_not_a_plain_https_url_of_a_host_is_not_a_token_server() {
        for realm in [
            "http://ghcr.io/token",
            "https://ghcr.io@evil.example/token",
            "https://evil.example\\@ghcr.io/token",
            "https://169.254.169.254/latest",
            "https:///token",
            "//ghcr.io/token",
            "ghcr.io/token",
            "",
        ] {
            assert_eq!(token_host(realm, "https://registry"), None, "{realm}");
        }
        assert_eq!(
            token_host("https://ghcr.io.evil.example/t", "https://r")
                .unwrap()
                .as_str(),
            "ghcr.io.evil.example"
        );
    }

    #[test]
    fn every_row_is_one_of_the_table_of_registries() {
        for (name, hosts) in TOKEN_HOSTS {
            assert!(
                Registry::named(name).is_some() && !hosts.is_empty(),
                "{name}"
            );
        }
    }
}
