//! The keys under which each client looks up a registry in `credHelpers` and `auths`.
//!
//! A client uses the registry's spelling in the image reference: to docker, `reg.example.com:443` and `reg.example.com`
//! are two names, and so are `GHCR.io` and `ghcr.io`. An entry under one is not found under the other. Sources:
//!
//! - docker, buildx, oras: <https://github.com/docker/cli/blob/master/cli/config/configfile/file.go> and
//!   `credentials/file_store.go` beside it
//! - crane, ko, CLIP: <https://github.com/google/go-containerregistry/blob/main/pkg/authn/keychain.go>
//! - nerdctl: <https://github.com/containerd/nerdctl/blob/main/pkg/imgutil/dockerconfigresolver/registryurl.go>
//! - podman, buildah, skopeo, CRI-O: <https://github.com/containers/image/blob/main/pkg/docker/config/config.go>
//!
//! kubelet never runs helpers named in such files; its provider's `matchImages` decides.

use indexmap::IndexSet;

use crate::host::{Host, ServerUrl};

/// A family of clients that look up registries in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// docker, buildx and oras.
    Docker,
    /// crane, ko and CLIP: docker's files, with the repository's own key first.
    Crane,
    /// nerdctl: docker's files, with several spellings of a registry.
    Nerdctl,
    /// podman, buildah, skopeo and CRI-O.
    Podman,
}

/// How one client looks up one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    client: Client,
    /// The names that the client looks up, in order.
    names: Vec<String>,
    /// What podman looks up in `auths` before the registry: the repository and its parent paths.
    paths: Vec<String>,
}

impl Lookup {
    /// The look-up of a registry as spelled in an image reference: `ghcr.io`, `reg.example.com:443`, `docker.io`.
    pub fn new(client: Client, registry: &str) -> Self {
        let hub = ["docker.io", "index.docker.io"].contains(&registry);
        let names = match client {
            Client::Podman if hub => vec!["docker.io".to_owned()],
            Client::Nerdctl if !hub => nerdctl(registry),
            Client::Docker | Client::Crane | Client::Nerdctl if hub => {
                vec![Host::docker_hub().server_url().to_owned()]
            }
            _ => vec![registry.to_owned()],
        };
        Self {
            client,
            names,
            paths: Vec::new(),
        }
    }

    /// The look-up of a registry in its usual spelling.
    pub fn of(client: Client, host: &Host) -> Self {
        Self::new(client, host.as_reference())
    }

    /// Extends the look-up to an image: crane and podman also support keys for a repository.
    pub fn repository(mut self, registry: &str, repository: &str) -> Self {
        let registry = match (self.client, registry) {
            (Client::Crane, "docker.io") => "index.docker.io",
            (Client::Podman, "index.docker.io") => "docker.io",
            _ => registry,
        };
        let image = format!("{registry}/{repository}");
        match self.client {
            Client::Crane => self.names.insert(0, image),
            Client::Podman => {
                let parents = image.match_indices('/').rev();
                self.paths = parents
                    .map(|(end, _)| image[..end].to_owned())
                    .filter(|path| path.contains('/'))
                    .collect();
                self.paths.insert(0, image);
            }
            Client::Docker | Client::Nerdctl => {}
        }
        self
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.client
    }

    /// The keys of `credHelpers` in the order of look-up, which are also what a helper is asked for. Only equal text
    /// matches.
    pub fn helper_keys(&self) -> &[String] {
        &self.names
    }

    /// The precedence of this key of `auths`, if the client finds it: the lowest wins. Between equal ones, clients
    /// choose at random.
    pub fn place(&self, key: &str) -> Option<usize> {
        if self.client == Client::Podman {
            let exact = self.paths.iter().chain(&self.names);
            let exact = exact.into_iter().position(|name| name == key);
            let last = self.paths.len() + self.names.len();
            return exact.or_else(|| {
                let registry = podman_hub(&self.names[0]);
                (podman_hostname(key) == registry).then_some(last)
            });
        }
        let exact = self.names.iter().position(|name| name == key);
        let host = docker_hostname(key);
        let by_host = self.names.iter().position(|name| name == host);
        let [exact, by_host] = [exact.map(|at| 2 * at), by_host.map(|at| 2 * at + 1)];
        exact.into_iter().chain(by_host).min()
    }

    /// A look-up that finds this key of `auths`; `None` if this client never finds it, as docker never looks under
    /// `docker.io`.
    pub fn finding(client: Client, key: &str) -> Option<Self> {
        let name = match client {
            Client::Podman => podman_hostname(key),
            _ if key == Host::docker_hub().server_url() => "docker.io",
            _ => docker_hostname(key),
        };
        let lookup = Self::new(client, name);
        lookup.place(key).is_some().then_some(lookup)
    }
}

/// All keys of `credHelpers` that a registry needs so that every client finds its helper: docker's, podman's, and the
/// registry as typed.
pub fn wiring_keys(host: &Host, typed: &str) -> Vec<String> {
    let spellings = [host.as_reference(), as_typed(host, typed)];
    let keys = spellings.into_iter().flat_map(|spelling| {
        [Client::Docker, Client::Podman]
            .into_iter()
            .flat_map(|client| Lookup::new(client, spelling).names)
    });
    keys.collect::<IndexSet<_>>().into_iter().collect()
}

/// The registry as somebody typed it, where that names it.
pub fn as_typed<'t>(host: &'t Host, typed: &'t str) -> &'t str {
    let name = docker_hostname(typed);
    let url = ServerUrl::parse(name.as_bytes());
    if url.is_ok_and(|url| url.host() == Some(host)) {
        name
    } else {
        host.as_reference()
    }
}

fn nerdctl(registry: &str) -> Vec<String> {
    let (name, port) = match registry.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (registry, "443"),
    };
    let mut hosts = vec![format!("{name}:{port}")];
    if port == "443" {
        hosts.push(name.to_owned());
    }
    hosts
        .iter()
        .flat_map(|host| ["", "https://", "http://"].map(|scheme| format!("{scheme}{host}")))
        .collect()
}

/// The host of a key as docker reads it: of a URL, its host; otherwise what precedes the first slash.
fn docker_hostname(key: &str) -> &str {
    if let Some((_, rest)) = key.split_once("://") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest[..end].rsplit('@').next().unwrap_or_default();
        let host = authority.strip_suffix(':').unwrap_or(authority);
        // Go returns the host of `[::1]` without brackets, and of `[::1]:5000` with them.
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if !host.is_empty() {
            return host;
        }
    }
    key.split('/').next().unwrap_or(key)
}

/// The registry of an old key as podman reads it: the path is dropped only from a URL.
fn podman_hostname(key: &str) -> &str {
    let bare = key.strip_prefix("http://").unwrap_or(key);
    let bare = bare.strip_prefix("https://").unwrap_or(bare);
    podman_hub(if bare.len() == key.len() {
        key
    } else {
        bare.split('/').next().unwrap_or(bare)
    })
}

fn podman_hub(registry: &str) -> &str {
    match registry {
        "registry-1.docker.io" | "docker.io" => "index.docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://index.docker.io/v1/";

    /// The keys of `auths` that are found, in order.
    fn found<'k>(lookup: &Lookup, keys: &[&'k str]) -> Vec<&'k str> {
        let mut found: Vec<_> = keys
            .iter()
            .filter_map(|key| Some((lookup.place(key)?, *key)))
            .collect();
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, key)| key).collect()
    }

    #[test]
    fn wiring_keys_include_the_typed_name_and_docker_hubs_name_for_each_client() {
        let table = [
            (Client::Docker, "ghcr.io", vec!["ghcr.io"]),
            (Client::Docker, "GHCR.io", vec!["GHCR.io"]),
            (
                Client::Crane,
                "reg.example.com:443",
                vec!["reg.example.com:443"],
            ),
            (
                Client::Podman,
                "reg.example.com:443",
                vec!["reg.example.com:443"],
            ),
            (Client::Docker, "docker.io", vec![HUB]),
            (Client::Crane, "index.docker.io", vec![HUB]),
            (Client::Nerdctl, "docker.io", vec![HUB]),
            (Client::Podman, "docker.io", vec!["docker.io"]),
            (Client::Podman, "index.docker.io", vec!["docker.io"]),
            // Not Docker Hub to any client, or at least not to this one.
            (
                Client::Docker,
                "registry-1.docker.io",
                vec!["registry-1.docker.io"],
            ),
            (Client::Docker, "docker.io:443", vec!["docker.io:443"]),
            (
                Client::Docker,
                "index.docker.io.evil.example",
                vec!["index.docker.io.evil.example"],
            ),
            (
                Client::Nerdctl,
                "r.example:5000",
                vec![
                    "r.example:5000",
                    "https://r.example:5000",
                    "http://r.example:5000",
                ],
            ),
            (
                Client::Nerdctl,
                "[::1]",
                vec![
                    "[::1]:443",
                    "https://[::1]:443",
                    "http://[::1]:443",
                    "[::1]",
                    "https://[::1]",
                    "http://[::1]",
                ],
            ),
        ];
        for (client, typed, keys) in table {
            assert_eq!(
                Lookup::new(client, typed).helper_keys(),
                keys,
                "{client:?} {typed}"
            );
        }
    }

    #[test]
    fn a_plain_login_is_found_under_its_exact_key_then_an_old_one_never_a_look_alike() {
        let keys = [
            "https://reg.example.com/v1/",
            "http://reg.example.com",
            "reg.example.com/org",
            "reg.example.com:443",
            "https://reg.example.com:443",
            "Reg.example.com",
            "reg.example.com.evil.example",
            "https://evil.example/reg.example.com",
            "https://reg.example.com@evil.example",
            "evilreg.example.com",
            "reg.example.com",
        ];
        let table = [
            (
                Client::Docker,
                "reg.example.com",
                vec![
                    "reg.example.com",
                    "https://reg.example.com/v1/",
                    "http://reg.example.com",
                    "reg.example.com/org",
                ],
            ),
            (
                Client::Podman,
                "reg.example.com",
                vec![
                    "reg.example.com",
                    "https://reg.example.com/v1/",
                    "http://reg.example.com",
                ],
            ),
            (
                Client::Docker,
                "reg.example.com:443",
                vec!["reg.example.com:443", "https://reg.example.com:443"],
            ),
            (
                Client::Podman,
                "reg.example.com:443",
                vec!["reg.example.com:443", "https://reg.example.com:443"],
            ),
            (Client::Crane, "Reg.example.com", vec!["Reg.example.com"]),
            (Client::Docker, "example.com", vec![]),
        ];
        for (client, typed, expected) in table {
            assert_eq!(
                found(&Lookup::new(client, typed), &keys),
                expected,
                "{client:?} {typed}"
            );
        }
    }

    #[test]
    fn docker_finds_docker_hub_under_its_one_key_and_podman_under_all_of_them() {
        let keys = [
            "index.docker.io",
            "registry-1.docker.io",
            HUB,
            "docker.io",
            "hub.docker.io",
        ];
        let hub = Host::docker_hub();
        assert_eq!(found(&Lookup::of(Client::Docker, &hub), &keys), [HUB]);
        assert_eq!(
            found(&Lookup::of(Client::Podman, &hub), &keys),
            ["docker.io", "index.docker.io", "registry-1.docker.io", HUB]
        );
        assert_eq!(Lookup::finding(Client::Docker, "docker.io"), None);
        assert_eq!(
            Lookup::finding(Client::Docker, HUB).unwrap().helper_keys(),
            [HUB]
        );
        assert_eq!(
            Lookup::finding(Client::Podman, "registry-1.docker.io")
                .unwrap()
                .helper_keys(),
            ["docker.io"]
        );
        assert_eq!(
            Lookup::finding(Client::Docker, "http://r.example:80")
                .unwrap()
                .helper_keys(),
            ["r.example:80"]
        );
    }

    #[test]
    fn a_repositorys_own_key_counts_for_crane_and_its_parents_for_podman() {
        let keys = [
            "ghcr.io",
            "ghcr.io/org",
            "ghcr.io/org/app",
            "ghcr.io/organisation",
        ];
        let lookup = |client| Lookup::new(client, "ghcr.io").repository("ghcr.io", "org/app");
        assert_eq!(
            found(&lookup(Client::Crane), &keys)[..2],
            ["ghcr.io/org/app", "ghcr.io"]
        );
        assert_eq!(
            found(&lookup(Client::Podman), &keys),
            ["ghcr.io/org/app", "ghcr.io/org", "ghcr.io"]
        );
        assert_eq!(
            lookup(Client::Crane).helper_keys(),
            ["ghcr.io/org/app", "ghcr.io"]
        );
        assert_eq!(lookup(Client::Podman).helper_keys(), ["ghcr.io"]);
        assert_eq!(
            lookup(Client::Docker),
            Lookup::new(Client::Docker, "ghcr.io")
        );
    }

    #[test]
    fn a_registry_is_wired_under_every_name_that_a_client_asks_for() {
        let table = [
            ("ghcr.io", vec!["ghcr.io"]),
            ("https://ghcr.io/v2/", vec!["ghcr.io"]),
            (
                "reg.example.com:443",
                vec!["reg.example.com", "reg.example.com:443"],
            ),
            (
                "Reg.example.com",
                vec!["reg.example.com", "Reg.example.com"],
            ),
            ("docker.io", vec![HUB, "docker.io"]),
            (HUB, vec![HUB, "docker.io"]),
            (
                "registry-1.docker.io",
                vec![HUB, "docker.io", "registry-1.docker.io"],
            ),
            ("o:443", vec!["o:443"]),
            ("[::1]:5000", vec!["[::1]:5000"]),
        ];
        for (typed, keys) in table {
            let url = ServerUrl::parse(typed.as_bytes()).unwrap();
            assert_eq!(wiring_keys(url.host().unwrap(), typed), keys, "{typed}");
        }
        assert_eq!(
            wiring_keys(&Host::parse(b"ghcr.io").unwrap(), "other.example"),
            ["ghcr.io"]
        );
    }

    #[test]
    fn the_host_of_an_old_key_is_read_as_go_reads_a_url() {
        for (key, host) in [
            ("https://r.example:5000/v1/", "r.example:5000"),
            ("https://r.example:/v1/", "r.example"),
            ("https://u:p@r.example?x#y", "r.example"),
            ("https://[::1]", "::1"),
            ("https://[::1]:5000", "[::1]:5000"),
            ("r.example/org", "r.example"),
            ("https:///r.example", "https:"),
        ] {
            assert_eq!(docker_hostname(key), host, "{key}");
        }
    }
}
