//! Finds rules that match nothing, and settings in rules without effect.

use super::finding::Finding;
use crate::config::{Ambient, Config, Rule};
use crate::host::{Host, Pattern, matches_name};
use crate::registry::Registry;

/// Checks each rule.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let rules = config.rules().iter();
    rules
        .filter_map(|rule| never(&rule.host, rule).or_else(|| without_effect(config, rule)))
        .collect()
}

fn never(host: &Pattern, rule: &Rule) -> Option<Finding> {
    let names = host.registries();
    let name = names.rsplit_once(':').map_or(&*names, |(name, _)| name);
    let (why, fix) = if host.is_exact() {
        return None;
    } else if !name.contains('.') {
        (
            "matches no registry: a star stands for a part of one label, and registries have two or more",
            "write as many labels as the hosts have, such as \"*.example.com\", or ambient at the top level for all",
        )
    } else if HUB.iter().any(|hub| matches_name(name, hub)) {
        (
            "does not match Docker Hub, whose host is docker.io here",
            "name it: host = \"docker.io\"",
        )
    } else {
        return None;
    };
    let what = format!("{}: the rule for {host} {why}", rule.file.display());
    Some(Finding::warn("config.rule_never_matches", what).words(fix))
}

/// Settings for a cloud or a kind of store that does not apply to the rule's hosts.
fn without_effect(config: &Config, rule: &Rule) -> Option<Finding> {
    if rule.is_public() {
        return None;
    }
    let rows = rows(rule);
    let clouds: Vec<_> = rows.iter().filter_map(|row| row.cloud()).collect();
    let lacks = |cloud: &str| !clouds.iter().any(|backend| backend.name() == cloud);
    let (no_aws, no_gcp, no_cloud) = (lacks("aws"), lacks("gcp"), clouds.is_empty());
    let cloud = &rule.cloud;
    let no_role = no_aws || cloud.role_arn.is_none();
    let provider = cloud.workload_identity_provider.is_some();
    let ambient = rule.ambient.is_some_and(|on: Ambient| !on.is_off());
    let no_secrets = !config.store.has_named_secrets();
    let set = [
        ("role_arn", cloud.role_arn.is_some() && no_aws),
        ("external_id", cloud.external_id.is_some() && no_role),
        ("profile", cloud.profile.is_some() && no_aws),
        ("region", cloud.region.is_some() && no_aws),
        ("endpoint_url", cloud.endpoint_url.is_some() && no_aws),
        ("workload_identity_provider", provider && no_gcp),
        ("ambient", ambient && no_cloud),
        (
            "workload_identity",
            rule.workload_identity == Some(true) && no_cloud,
        ),
        ("secret", rule.secret.is_some() && no_secrets),
        ("secrets", rule.secrets.is_some() && no_secrets),
    ];
    let set = set.iter().filter(|(_, without)| *without);
    let set: Vec<&str> = set.map(|(name, _)| *name).collect();
    let (file, names) = (rule.file.display(), set.join(", "));
    let have = if set.len() == 1 { "has" } else { "have" };
    let what = format!(
        "{file}: in the rule for {}, {names} {have} no effect",
        rule.host
    );
    let fix = format_args!("remove {names} from it, or correct its host");
    (!set.is_empty()).then(|| Finding::warn("config.no_effect", what).words(fix))
}

/// The table's rows that the rule's hosts may belong to.
fn rows(rule: &Rule) -> Vec<&'static Registry> {
    if let Some(row) = rule.backend.as_deref().and_then(Registry::named) {
        return vec![row];
    }
    if let Some(host) = rule.alias_of.clone().or_else(|| rule.host.exact()) {
        return vec![Registry::of(&host)];
    }
    let mut texts = vec![rule.host.registries()];
    while let Some(at) = texts.iter().position(|text| text.contains('*')) {
        let text = texts.swap_remove(at);
        texts.extend(LABELS.map(|label| text.replacen('*', label, 1)));
    }
    let hosts = texts
        .iter()
        .filter_map(|text| Host::parse(text.as_bytes()).ok());
    hosts.map(|host| Registry::of(&host)).collect()
}

/// Sample labels for a star in clouds' host names.
const LABELS: [&str; 5] = ["x", "123456789012", "us-east-1", "us", "us-docker"];
/// Docker Hub's other names.
const HUB: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
