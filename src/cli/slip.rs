//! Suggests what was probably meant if a registry has no credential: another workspace, port or name. A login at a
//! misspelled name would send the password to a stranger.

use crate::host::Host;
use crate::near;
use crate::registry::Registry;
use crate::resolver::{Resolver, Route};
use crate::shown::shown;

/// What to do instead of a login, if something else was probably meant.
pub(super) fn of(route: &Route, resolver: &Resolver) -> Option<String> {
    let host = route.host;
    if let Some(elsewhere) = elsewhere(host, resolver) {
        return Some(elsewhere);
    }
    // A vendor's own host isn't a typo, but its port may be.
    let is_slip = |near: &&Host| near.name() == host.name() || route.row.is_generic();
    let near = |known: &[Host]| {
        let mut near = near::nearest_hosts(host, known);
        near.retain(is_slip);
        let names: Vec<_> = near.iter().map(ToString::to_string).collect();
        let first = near.first()?;
        Some((first.name() == host.name(), names.join(" or ")))
    };
    let held = near(&resolver.held_hosts());
    let known = || near(&Registry::fixed_hosts().collect::<Vec<_>>());
    match held {
        Some((true, held)) => Some(format!(
            "the store has a credential for {held}; ask for that port, or docker login {host}"
        )),
        Some((false, held)) => Some(format!(
            "did you mean {held}? the store has a credential for it"
        )),
        None => known().map(|(_, known)| format!("did you mean {known}?")),
    }
}

/// The other workspace on this node that has a credential.
fn elsewhere(host: &Host, resolver: &Resolver) -> Option<String> {
    let others = resolver.elsewhere(host);
    let named = others.iter().flatten().map(|name| shown(name).to_string());
    let named: Vec<_> = named.collect();
    match named.as_slice() {
        [] if others.is_empty() => None,
        [] => Some(
            "another workspace on this node has it; name that in BETA9_WORKSPACE_ID".to_owned(),
        ),
        [one] => Some(format!(
            "workspace {one} has it; set BETA9_WORKSPACE_ID={one}"
        )),
        more => Some(format!(
            "workspaces {} have it; name one in BETA9_WORKSPACE_ID",
            more.join(", ")
        )),
    }
}
