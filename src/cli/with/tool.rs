//! The clients of containerd: their pulls and their flags.

use std::ffi::OsString;
use std::path::Path;

/// A client of containerd.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// A pull of it.
    pub(super) example: &'static str,
    /// The commands that pull.
    pub(super) pulls: &'static [&'static [&'static str]],
    /// The flags with which a user logs in.
    pub(super) logins: &'static [&'static str],
    /// Whether one dash and several letters are several flags.
    pub(super) combines: bool,
    values: &'static str,
    switches: &'static str,
}

impl Tool {
    /// The tool of a command line, which begins with its program.
    pub(super) fn of(words: &[OsString]) -> Option<&'static Self> {
        let name = Path::new(words.first()?).file_name()?.to_str()?;
        [&CTR, &NERDCTL].into_iter().find(|tool| tool.name == name)
    }

    /// Whether a flag has a value; `None` if it is unknown.
    pub(super) fn takes_value(&self, flag: &str) -> Option<bool> {
        let among = |names: &str| names.split(' ').any(|known| known == flag);
        let value = among(self.values);
        (value || among(self.switches)).then_some(value)
    }
}

/// Uses Go's `flag`: one dash or two, no combined flags
/// (<https://github.com/containerd/containerd/tree/main/cmd/ctr/commands>).
pub(super) static CTR: Tool = Tool {
    name: "ctr",
    example: "ctr images pull REF",
    pulls: &[
        &["images", "pull"],
        &["image", "pull"],
        &["i", "pull"],
        &["content", "fetch"],
        &["c", "fetch"],
    ],
    logins: &["user", "u", "refresh"],
    combines: false,
    values: "\
    address a timeout connect-timeout namespace n user u refresh hosts-dir tlscacert tlscert \
    tlskey sslkeylogfile snapshotter label platform max-concurrent-downloads",
    switches: "\
    debug help h version v skip-verify k plain-http http-dump http-trace all-platforms \
    all-metadata metadata-only skip-metadata print-chainid local sync-fs",
};

/// Uses pflag: two dashes, or one dash and combined letters
/// (<https://github.com/containerd/nerdctl/blob/main/docs/command-reference.md>).
static NERDCTL: Tool = Tool {
    name: "nerdctl",
    example: "nerdctl pull REF",
    pulls: &[&["pull"], &["image", "pull"]],
    logins: &[],
    combines: true,
    values: "\
    address a host H namespace n snapshotter storage-driver cni-path cni-netconfpath data-root \
    cgroup-manager hosts-dir host-gateway-ip bridge-ip cdi-spec-dirs userns-remap unpack \
    platform verify cosign-key cosign-certificate-identity cosign-certificate-identity-regexp \
    cosign-certificate-oidc-issuer cosign-certificate-oidc-issuer-regexp soci-index-digest \
    ipfs-address",
    switches: "\
    debug debug-full insecure-registry experimental kube-hide-dupe help h version v \
    all-platforms quiet q",
};
