//! Checks the proxy for registries and clouds.

use super::finding::Finding;
use crate::host::Host;
use crate::http::Proxies;

/// Checks the environment's proxy for these registries.
pub(super) fn look(hosts: &[Host]) -> Vec<Finding> {
    let proxies = Proxies::named();
    let (mut through, mut direct, mut name) = (Vec::new(), Vec::new(), None);
    // Clouds may be asked for tokens whatever the store has.
    let cloud = [(CLOUD, HTTPS)].into_iter();
    let registries = hosts
        .iter()
        .map(|host| (host.name(), host.port().unwrap_or(HTTPS)));
    for (host, port) in cloud.chain(registries) {
        let listed = match proxies.of(host, port) {
            Ok(Some(proxy)) => {
                name = Some(proxy.name());
                &mut through
            }
            Ok(None) => &mut direct,
            Err(broken) => {
                let variable = broken.variable;
                let what = format!(
                    "{variable} holds no proxy's address, so nothing can be asked through it"
                );
                let fix = format_args!("set {variable} to http://HOST:PORT, or unset it");
                return vec![Finding::broken("proxy.invalid", what).words(fix)];
            }
        };
        listed.extend((host != CLOUD).then_some(host));
    }
    let Some(name) = name else {
        return vec![Finding::ok("proxy.none", "no proxy is used")];
    };
    let of = |hosts: &[&str]| match hosts {
        [] => String::new(),
        hosts => format!(": {}", hosts.join(", ")),
    };
    let what = format!("asked through {name}{}", of(&through));
    let mut findings = vec![Finding::note("proxy.used", what)];
    if !direct.is_empty() {
        let what = format!("asked without a proxy{}", of(&direct));
        findings.push(Finding::note("proxy.passed_by", what));
    }
    findings
}

/// A host that no `NO_PROXY` entry is likely to name.
const CLOUD: &str = "cloud.invalid";
const HTTPS: u16 = 443;
