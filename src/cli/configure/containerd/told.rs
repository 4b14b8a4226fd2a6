//! What `configure containerd` says: what it did, and what is left for a person to do.

use std::path::Path;

use super::super::{Report, UNCHANGED};
use super::{CERTS_D, Wiring};
use crate::mirror;
use crate::shown::quoted;
use crate::trusted::exists;

impl Wiring {
    /// Tells what was done, and what else is to be done.
    pub(super) fn tell(
        &self,
        report: &mut Report,
        new_certificates: bool,
        of: &str,
        places: &[(String, Option<String>)],
    ) {
        if !report.changed {
            report.say(format!(
                "nothing to do: containerd asks the mirror for {of} already"
            ));
            return;
        }
        if new_certificates {
            let made = if self.dry_run { "would be" } else { "are" };
            report.say(format!(
                "the mirror's certificates {made} made in {}; if it runs: systemctl restart beta9-mirror.service",
                self.dir.display()
            ));
        }
        let is_there = |dir: &&str| matches!(exists(Path::new(dir)), Ok(true));
        if self.is_yaml || K3S.iter().any(is_there) {
            report.lines.extend(self.registries_yaml(places));
        }
        if self.dry_run {
            report.say(UNCHANGED);
            return;
        }
        if !self.is_yaml {
            report.lines.extend([
                format!("containerd now asks the mirror for {of}"),
                "containerd reads this if its configuration names it, and ctr with an option:"
                    .to_owned(),
                format!("  config_path = \"{}\"", report.path),
                format!("  ctr images pull --hosts-dir {} IMAGE", report.path),
            ]);
        }
        let other = |flag: &str, path: &Path, usual: &str| {
            let is_usual = path == Path::new(usual);
            let path = path.display().to_string();
            (!is_usual).then(|| format!(" --{flag} {}", quoted(&path)))
        };
        let config = other("config", &self.config, CERTS_D);
        let dir = other("mirror-dir", &self.dir, mirror::DIR);
        let places = config.into_iter().chain(dir).collect::<String>();
        report.lines.extend([
            "start the mirror with:".to_owned(),
            "  systemctl enable --now beta9-mirror.socket".to_owned(),
            format!("undo: docker-credential-beta9 configure containerd{places} --undo"),
        ]);
    }

    /// The text for registries.yaml, from which k3s and RKE2 write containerd's files when they start
    /// (<https://docs.k3s.io/installation/private-registry>).
    fn registries_yaml(&self, places: &[(String, Option<String>)]) -> Vec<String> {
        let dir = self.dir.display();
        let mut lines = vec![
            "put this into the registries.yaml of k3s or RKE2, and restart it:".to_owned(),
            "  mirrors:".to_owned(),
        ];
        for (name, _) in places {
            let name = if name == "_default" { "*" } else { name };
            lines.push(format!("    \"{name}\":"));
            lines.push(format!("      endpoint: [\"{}\"]", self.url));
        }
        lines.extend([
            "  configs:".to_owned(),
            format!("    \"{}\":", self.url.trim_start_matches("https://")),
            "      tls:".to_owned(),
            format!("        ca_file: {dir}/ca.crt"),
            format!("        cert_file: {dir}/client.crt"),
            format!("        key_file: {dir}/client.key"),
        ]);
        lines
    }
}

const K3S: [&str; 2] = ["/etc/rancher/k3s", "/etc/rancher/rke2"];
