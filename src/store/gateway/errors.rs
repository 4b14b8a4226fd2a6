//! What the gateway's failures mean, in words. A body is never quoted: it may hold anything.

use super::PART;
use crate::config::Endpoint;
use crate::error::{Error, Problem};
use crate::http::Response;
use crate::keys::KeysError;
use crate::shown::shown;

/// An answer that is no success and has no meaning of its own. `what` is what was asked, as in "it could not …".
pub(super) fn status(
    endpoint: &Endpoint,
    workspace: Option<&str>,
    answer: &Response,
    what: &str,
) -> Error {
    let (url, source) = (&endpoint.url, &endpoint.token_source);
    let shown = workspace.map_or("its own workspace".to_owned(), |workspace| {
        format!("workspace {workspace}")
    });
    let problem = |cause: String| Problem::new(PART, cause);
    match answer.status {
        // A token that the gateway has not cached is refused in the same words while its database is down.
        status @ (401 | 403) => problem(format!(
            "{url} refused the token from {source} for {shown} ({status}), or cannot look the token up"
        ))
        .fix("give it a token of that workspace that is not restricted, or see whether the gateway's database is up")
        .refused(),
        400 if workspace.is_some() => problem(format!("{url} does not know {shown} (400)"))
            .fix("correct the workspace's id, or unset it: the token's own is used then")
            .failed(),
        status @ 300..400 => problem(format!("{url} sends on to another place ({status}), where no token goes"))
            .fix("set store.gateway.url to where the gateway is")
            .failed(),
        status @ 500.. => problem(format!("{url} could not {what} ({status})"))
            .fix("see the gateway's log, and whether its database is there")
            .unreachable(),
        429 => problem(format!("{url} has been asked too often (429)")).fix("try again in a while").unreachable(),
        _ => stranger(endpoint),
    }
}

/// "Invalid" is what the gateway calls a workspace also when its database is down.
pub(super) fn lost(endpoint: &Endpoint, workspace: &str) -> Error {
    let cause = format_args!(
        "{} cannot look up workspace {workspace} any more (400)",
        endpoint.url
    );
    Problem::new(PART, cause)
        .fix("see the gateway's log, and whether its database is up")
        .unreachable()
}

/// "Not found" is what the gateway says also of a secret that it lists and cannot read.
pub(super) fn unreadable(endpoint: &Endpoint, name: &str) -> Error {
    let cause = format_args!(
        "{} lists the secret {} and cannot read it",
        endpoint.url,
        shown(name)
    );
    Problem::new(PART, cause)
        .fix("see the gateway's log, and whether its database is up; a value that does not decrypt has to be stored again")
        .unreachable()
}

/// Who may get a secret is written in a way that is not understood.
pub(super) fn unknown_hosts(name: &str) -> Error {
    let cause = format_args!(
        "the hosts of the secret {} are not a list of names",
        shown(name)
    );
    Problem::new(PART, cause)
        .fix("update this program, or set the hosts again")
        .failed()
}

/// An answer that Beta9's gateway does not give.
pub(super) fn stranger(endpoint: &Endpoint) -> Error {
    Problem::new(
        PART,
        format_args!("what answers at {} is not Beta9's gateway", endpoint.url),
    )
    .fix("see whether store.gateway.url is the gateway's HTTP address")
    .failed()
}

/// The endpoint answers, but does not say which workspace the token is for.
pub(super) fn no_workspace(endpoint: &Endpoint) -> Error {
    Problem::new(PART, format_args!("{} does not say which workspace the token is for", endpoint.url))
        .fix("see whether store.gateway.url is the gateway's HTTP address, or set workspace or BETA9_WORKSPACE_ID")
        .failed()
}

/// A name or an id that no URL can carry as it is.
pub(super) fn unfit(what: &str, text: &str) -> Error {
    Problem::new(PART, format_args!("\"{}\" cannot be {what}", shown(text)))
        .fix("correct it")
        .failed()
}

/// A secret that is no credential.
pub(super) fn damaged(name: &str, error: &KeysError) -> Error {
    Problem::new(
        PART,
        format_args!("the secret {} cannot be used: {error}", shown(name)),
    )
    .fix("correct or delete it in the workspace")
    .failed()
}

/// A secret that cannot be listed.
pub(super) fn unnamed(name: &str) -> Error {
    Problem::new(
        PART,
        format_args!(
            "the secret {} does not say which registry it is for",
            shown(name)
        ),
    )
    .failed()
}

/// Every name that could be used is another host's.
pub(super) fn taken(names: &[String]) -> Error {
    let cause = match names {
        [name] => format!("{} is another registry's secret", shown(name)),
        names => format!("{} are other registries' secrets", names.join(", ")),
    };
    Problem::new(PART, cause)
        .fix("nothing was stored; delete what is not needed, or name a secret in a rule")
        .failed()
}

/// A name that the operator chose, that is not there, and that the API does not create.
pub(super) fn uncreatable(name: &str) -> Error {
    let cause = format!(
        "the secret {} is not there, and a new one's name takes only letters, digits and underscores, no digit first, and at most 64 of them",
        shown(name)
    );
    Problem::new(PART, cause)
        .fix("nothing was stored; choose another name in the rule")
        .failed()
}

/// A name for a single secret that the API does not create.
pub(super) fn invalid(name: &str) -> Error {
    let cause = format_args!(
        "\"{}\" is not a valid name for a secret: it takes letters, digits and underscores, no digit first, and at most 64 of them",
        shown(name)
    );
    Problem::new(PART, cause)
        .fix("nothing was stored; choose another name")
        .failed()
}

/// A single secret that is not as it was when somebody decided to write it.
pub(super) fn changed(name: &str, what: &str) -> Error {
    let name = shown(name);
    Problem::new(PART, format_args!("the secret {name} {what}"))
        .fix(format_args!(
            "nothing was stored; look at it with: beta9 secret show {name}"
        ))
        .failed()
}

/// Others were always faster, or what is listed is never given.
pub(super) fn contested(outcome: &str) -> Error {
    Problem::new(
        PART,
        "this registry's secrets keep changing, or the gateway cannot read or change what it lists",
    )
    .fix(format_args!(
        "{outcome}; try again, and see the gateway's log"
    ))
    .failed()
}
