//! Checks the proxy for registries and clouds.

use super::finding::Finding;
use crate::host::Host;
use crate::http::Proxies;

/// Checks the environment's proxy for these registries.
pub(super) fn look(hosts: &[Host]) -> Vec<Finding> {
    let proxies = Proxies::named();
    let (mut through, mut direct, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    let mut name = None;
    // Clouds may be asked for tokens whatever the store has.
    let cloud = [CLOUD.to_owned()].map(|host| (host, HTTPS));
    let registries = hosts.iter().map(|host| {
        let port = host.port().unwrap_or(HTTPS);
        (host.name().to_owned(), port)
    });
    for (host, port) in cloud.into_iter().chain(registries) {
        let is_example = host == CLOUD;
        match proxies.of(&host, port) {
            Ok(Some(proxy)) => {
                name = Some(proxy.name());
                through.extend((!is_example).then_some(host));
            }
            Ok(None) => direct.extend((!is_example).then_some(host)),
            Err(broken) => {
                let what = format!(
                    "{} holds no proxy's address, so nothing can be asked through it",
                    broken.variable
                );
                let fix = format!("set {} to http://HOST:PORT, or unset it", broken.variable);
                findings.push(Finding::broken("proxy.invalid", what).words(fix));
                return findings;
            }
        }
    }
    let Some(name) = name else {
        return vec![Finding::ok("proxy.none", "no proxy is used")];
    };
    let of = |hosts: Vec<String>| match hosts.len() {
        0 => String::new(),
        _ => format!(": {}", hosts.join(", ")),
    };
    findings.push(Finding::note(
        "proxy.used",
        format_args!("asked through {name}{}", of(through)),
    ));
    if !direct.is_empty() {
        let what = format!("asked without a proxy{}", of(direct));
        findings.push(Finding::note("proxy.passed_by", what));
    }
    findings
}

/// A host that no `NO_PROXY` entry is likely to name.
const CLOUD: &str = "cloud.invalid";
const HTTPS: u16 = 443;
