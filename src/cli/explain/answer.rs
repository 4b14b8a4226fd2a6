//! `Answer`: all that decides about a registry, gathered without minting anything, and how it is shown.

use std::time::Duration;

use zeroize::Zeroizing;

use super::identity;
use crate::backend::Backend;
use crate::cli::rows::Rows;
use crate::cli::style::Style;
use crate::error::Error;
use crate::host::Rejected;
use crate::json::ObjectWriter;
use crate::keys::Keys;
use crate::registry::{Registry, choose};
use crate::resolver::{Cached, Resolver, Route};
use crate::store::{Found, Keep, name};

/// What would be answered, and why.
pub(super) struct Answer {
    host: Option<String>,
    class: &'static str,
    backend: Option<&'static str>,
    rule: Option<String>,
    /// What the rule says, and whom it does not speak to.
    rule_notes: Vec<String>,
    store: Option<&'static str>,
    secret_name: Option<String>,
    found: bool,
    keys: Vec<String>,
    ambient: bool,
    told: Told,
    identity: Option<String>,
    cached: Cached,
}

/// What the client is told.
enum Told {
    /// A user name, unless it is the secret itself, and what kind of secret goes with it.
    Credential { username: Option<String>, secret: &'static str },
    /// That there is nothing, and why.
    NotFound(String),
    /// One line of a failure.
    Failure(String),
}

impl Told {
    /// The line that `get` would fail with.
    fn failure(error: Error, route: &Route) -> Self {
        Self::Failure(crate::one_line(&error.about(route.host.as_str())))
    }
}

impl Answer {
    /// What is no registry: no store is asked.
    pub(super) fn rejected(why: Rejected) -> Self {
        Self {
            host: None,
            class: "reject",
            backend: None,
            rule: None,
            rule_notes: Vec::new(),
            store: None,
            secret_name: None,
            found: false,
            keys: Vec::new(),
            ambient: false,
            told: Told::NotFound(why.to_string()),
            identity: None,
            cached: Cached::Never,
        }
    }

    /// Asks the stores, and looks into the cache.
    pub(super) fn about(route: &Route, path: &str, resolver: &Resolver) -> Self {
        let named = route.rule.and_then(|rule| rule.secret.clone());
        let mut answer = Self {
            host: Some(route.host.as_str().to_owned()),
            class: Registry::of(route.host).name,
            backend: Some(route.backend()),
            rule: route.rule.map(|rule| rule.host.as_str().to_owned()),
            rule_notes: rule_notes(route, path, resolver),
            store: Some(resolver.workspace_store()),
            secret_name: resolver.names_secrets().then(|| named.unwrap_or_else(|| name::current(route.host))),
            ambient: route.ambient,
            ..Self::rejected(Rejected(""))
        };
        match resolver.find(route) {
            Ok(found) => answer.decide(route, found, resolver),
            Err(error) => answer.told = Told::failure(error, route),
        }
        answer
    }

    fn decide(&mut self, route: &Route, found: Option<(&'static str, Found)>, resolver: &Resolver) {
        let node = &resolver.config().node;
        let keep = found.as_ref().map_or(Keep::Disk, |(_, found)| found.keep);
        let keys = found.map(|(store, found)| {
            (self.store, self.found) = (Some(store), true);
            self.keys = found.keys.names().map(str::to_owned).collect();
            if store == "request" {
                self.secret_name = None;
            }
            found.keys
        });
        if route.is_public() {
            self.told = Told::NotFound("the rule says that nothing is ever answered".to_owned());
            return;
        }
        let cached = |backend: &Backend, keys: Option<&Keys>| match keep {
            Keep::Disk => resolver.cached(route, backend, keys),
            Keep::Memory => Cached::Never,
        };
        match (keys.map(|keys| choose(route.row, route.real, keys)), route.row.cloud()) {
            (Some(Ok(choice)), _) => {
                self.backend = Some(choice.backend.name());
                self.identity = Some(identity::of_secret(&choice.backend, &choice.keys, route, node));
                self.cached = cached(&choice.backend, Some(&choice.keys));
                self.told = told(&choice.backend, &choice.keys);
            }
            (Some(Err(Error::NotFound)), _) => {
                self.told = Told::NotFound("its secret holds no keys, so the registry is public".to_owned());
            }
            (Some(Err(error)), _) => self.told = Told::failure(error, route),
            (None, Some(cloud)) if route.ambient => {
                self.identity = Some(identity::of_node(cloud, route, node));
                self.cached = cached(cloud, None);
                self.told = told(cloud, &Keys::default());
            }
            (None, cloud) => {
                self.identity = cloud.map(|_| "none: the node's own may not be used here (ambient is off)".to_owned());
                self.told = Told::NotFound("clients go on anonymously".to_owned());
            }
        }
    }

    pub(super) fn json(&self, input: &str, files: &[String]) -> Zeroizing<String> {
        let (answer, username, problem) = match &self.told {
            Told::Credential { username, .. } => ("credential", username.as_deref(), None),
            Told::NotFound(why) => ("not-found", None, (self.class == "reject").then_some(why.as_str())),
            Told::Failure(line) => ("failure", None, Some(line.as_str())),
        };
        let mut out = ObjectWriter::with_capacity(1024);
        out.text("input", input).optional("host", self.host.as_deref()).text("class", self.class);
        out.optional("backend", self.backend).optional("rule", self.rule.as_deref());
        out.optional("store", self.store).optional("secret_name", self.secret_name.as_deref());
        out.flag("found", self.found).flag("ambient", self.ambient);
        out.texts("keys", self.keys.iter().map(String::as_str)).optional("problem", problem);
        out.texts("config", files.iter().map(String::as_str));
        out.text("answer", answer).optional("username", username).optional("identity", self.identity.as_deref());
        out.text("cache", self.cached.word());
        if let Cached::Token(peek) = self.cached {
            out.number("cached_seconds_left", peek.left.as_secs());
        }
        out.finish()
    }

    pub(super) fn human(&self, files: &[String], style: Style) -> String {
        let mut rows = Rows::new(0, 10);
        match &self.host {
            Some(host) => {
                rows.row("registry", &format!("{host} ({})", self.class), |line| style.bold(line).to_string());
            }
            None => rows.plain("registry", "none"),
        }
        match &self.told {
            Told::Credential { username: Some(username), secret } => {
                let text = format!("user name {username} and {secret}");
                rows.row("answer", &text, |line| style.good(line).to_string());
            }
            Told::Credential { username: None, secret } => {
                rows.row("answer", secret, |line| style.good(line).to_string());
            }
            Told::NotFound(why) => rows.plain("answer", &format!("not found: {why}")),
            Told::Failure(line) => rows.row("answer", &format!("fails: {line}"), |line| style.bad(line).to_string()),
        }
        if let Some(store) = self.store {
            let keys = if self.keys.is_empty() { "no keys".to_owned() } else { self.keys.join(", ") };
            let found = if self.found { format!("yes, with {keys}") } else { "no".to_owned() };
            rows.plain("store", store);
            self.secret_name.iter().for_each(|name| rows.plain("secret", name));
            rows.plain("found", &found);
        }
        if let Some(backend) = self.backend {
            rows.plain("backend", &format!("{backend}: {}", what_it_does(backend)));
        }
        self.identity.iter().for_each(|identity| rows.plain("identity", identity));
        match self.cached {
            Cached::Never => {}
            Cached::Off => rows.plain("cache", "switched off: each pull mints a token"),
            Cached::Nothing => rows.plain("cache", "no token: the next pull mints one"),
            Cached::Token(peek) => {
                let due = if peek.due { ", and is renewed by the next pull" } else { "" };
                rows.plain("cache", &format!("a token, which is served for {} more{due}", life(peek.left)));
            }
        }
        if self.host.is_some() {
            let rule = self.rule.as_deref().unwrap_or("none");
            let notes: Vec<_> = self.rule_notes.iter().map(|note| format!("; {note}")).collect();
            rows.plain("rule", &format!("{rule}{}", notes.concat()));
        }
        rows.plain(
            "config",
            &if files.is_empty() { "no file: defaults and environment".to_owned() } else { files.join(", ") },
        );
        rows.finish()
    }
}

impl Cached {
    /// The word for programs.
    fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Off => "off",
            Self::Nothing => "empty",
            Self::Token(_) => "token",
        }
    }
}

fn rule_notes(route: &Route, path: &str, resolver: &Resolver) -> Vec<String> {
    let Some(rule) = route.rule else { return Vec::new() };
    let mut notes = Vec::new();
    if let Some(real) = &rule.alias_of {
        notes.push(format!("it stands for {real}"));
    }
    let without_path = resolver.config().rule(route.host, "");
    if !path.is_empty() && !without_path.is_some_and(|other| std::ptr::eq(other, rule)) {
        notes.push("docker and podman name no path, and get another answer".to_owned());
    }
    notes
}

/// What a client is told of a login, before there is one.
fn told(backend: &Backend, keys: &Keys) -> Told {
    let username = backend.username(keys);
    let Backend::Fixed { secret, .. } = backend else {
        return Told::Credential { username: Some(username.to_owned()), secret: "a token" };
    };
    let same = keys.get(secret).is_some_and(|secret| secret.expose() == username);
    match username {
        "<token>" => Told::Credential { username: None, secret: "an identity token" },
        _ if same => Told::Credential { username: None, secret: "a token for user name and password" },
        _ => {
            let kind = if secret.contains("PASSWORD") { "a password" } else { "a token" };
            Told::Credential { username: Some(username.escape_debug().to_string()), secret: kind }
        }
    }
}

fn what_it_does(backend: &str) -> &'static str {
    match backend {
        "aws" => "a token of Amazon ECR is minted",
        "gcp" => "an access token of Google is minted, or answered as it is",
        "azure" => "a token of Azure's registry is minted",
        "public" => "nothing is ever answered",
        _ => "the secret's keys are answered as they are",
    }
}

/// Two units are enough for a person.
fn life(time: Duration) -> String {
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_told_in_two_units() {
        let table = [(59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (39_000, "10 h 50 min")];
        for (seconds, expected) in table {
            assert_eq!(life(Duration::from_secs(seconds)), expected);
        }
    }
}
