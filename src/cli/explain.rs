//! `explain HOST|IMAGE`: what would answer, and why; no secret is shown and no token is minted.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use zeroize::Zeroizing;

use super::style::Style;
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::host::{Host, ImageRef, Rejected, Scheme, ServerUrl};
use crate::json::ObjectWriter;
use crate::registry::{Registry, choose};
use crate::resolver::{Resolver, Route};
use crate::store::name;

pub(super) fn command() -> Command {
    let input = Arg::new("input").value_name("HOST|IMAGE").required(true).value_parser(OsStringValueParser::new());
    Command::new("explain")
        .about("Show which rule, store, secret and backend would answer for a registry or an image")
        .arg(input.help("A registry host, a server URL, or an image reference").allow_hyphen_values(true))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object"))
        .after_help("Exit status: 0, also for what is no registry; 1 when the configuration is wrong.\n\nExample: docker-credential-beta9 explain ghcr.io/org/app:1.2 --json")
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let input = matches.get_one::<OsString>("input").cloned().unwrap_or_default();
    let config = Config::load(env)?;
    let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
    let resolver = Resolver::new(config)?;
    let target = parse(input.as_bytes());
    let route = target.as_ref().map_err(|why| *why).and_then(|target| {
        let plain = Rejected("a cloud registry's token never goes over plain HTTP");
        resolver.route(&target.host, target.scheme, &target.path).ok_or(plain)
    });
    let mut answer = match &route {
        Ok(route) => Answer::about(route, &resolver),
        Err(why) => Answer { class: "reject", problem: Some(why.to_string()), ..Answer::default() },
    };
    answer.input = input.to_string_lossy().into_owned();
    answer.files = files;
    let style = Style::of(io.out, env);
    let text = if matches.get_flag("json") { answer.json() } else { answer.human(style).into() };
    io.out.write_all(text.as_bytes()).map_err(super::unwritable)
}

/// A host and path, from either way of writing them.
struct Target {
    host: Host,
    scheme: Scheme,
    path: String,
}

/// With a scheme, or without a slash, it is what a client would ask for; else an image, and so is a bare word.
fn parse(input: &[u8]) -> Result<Target, Rejected> {
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| input.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())));
    let bare_word = input.iter().all(|byte| !b".:/[".contains(byte)) && input != b"localhost" && !input.is_empty();
    if has_scheme || !(bare_word || input.contains(&b'/')) {
        return match ServerUrl::parse(input)? {
            ServerUrl::Registry { host, scheme, path } => Ok(Target { host, scheme, path }),
            ServerUrl::Item(_) => Err(Rejected("it is an item that is kept verbatim, not a registry")),
        };
    }
    let text = std::str::from_utf8(input).map_err(|_| Rejected("it is not UTF-8"))?;
    let image = ImageRef::parse(text)?;
    Ok(Target { host: image.host, scheme: Scheme::Https, path: image.repository })
}

#[derive(Default)]
struct Answer {
    input: String,
    host: Option<String>,
    class: &'static str,
    backend: Option<&'static str>,
    rule: Option<String>,
    store: Option<&'static str>,
    secret_name: Option<String>,
    found: bool,
    keys: Vec<String>,
    ambient: bool,
    problem: Option<String>,
    files: Vec<String>,
}

impl Answer {
    fn about(route: &Route, resolver: &Resolver) -> Self {
        let named = route.rule.and_then(|rule| rule.secret.clone());
        let mut answer = Self {
            host: Some(route.host.as_str().to_owned()),
            class: Registry::of(route.host).name,
            backend: Some(route.backend()),
            rule: route.rule.map(|rule| rule.host.as_str().to_owned()),
            store: Some(resolver.workspace_store()),
            // A worker is vended a secret by image, whatever it is called.
            secret_name: resolver.names_secrets().then(|| named.unwrap_or_else(|| name::current(route.host))),
            ambient: route.ambient,
            ..Self::default()
        };
        match resolver.find(route) {
            Ok(None) => {}
            Ok(Some((store, found))) => {
                answer.store = Some(store);
                answer.found = true;
                answer.keys = found.keys.names().map(str::to_owned).collect();
                match choose(route.row, route.real, found.keys) {
                    Ok(choice) if !route.is_public() => answer.backend = Some(choice.backend.name()),
                    Ok(_) | Err(Error::NotFound) => {}
                    Err(error) => answer.problem = Some(crate::one_line(&error)),
                }
            }
            Err(error) => answer.problem = Some(crate::one_line(&error)),
        }
        answer
    }

    fn json(&self) -> Zeroizing<String> {
        let mut out = ObjectWriter::with_capacity(512);
        out.text("input", &self.input).optional("host", self.host.as_deref()).text("class", self.class);
        out.optional("backend", self.backend).optional("rule", self.rule.as_deref());
        out.optional("store", self.store).optional("secret_name", self.secret_name.as_deref());
        out.flag("found", self.found).flag("ambient", self.ambient);
        out.texts("keys", self.keys.iter().map(String::as_str)).optional("problem", self.problem.as_deref());
        out.texts("config", self.files.iter().map(String::as_str));
        out.finish()
    }

    fn human(&self, style: Style) -> String {
        let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
        let found = match (self.found, self.keys.as_slice()) {
            (false, _) => "no".to_owned(),
            (true, []) => "yes, and it holds no keys: the registry is public".to_owned(),
            (true, keys) => format!("{}, with {}", style.good("yes"), keys.join(", ")),
        };
        let files = if self.files.is_empty() { "none read".to_owned() } else { self.files.join(", ") };
        let rows = [
            ("registry", style.bold(or_none(self.host.as_deref())).to_string()),
            ("class", self.class.to_owned()),
            ("rule", or_none(self.rule.as_deref())),
            ("store", or_none(self.store)),
            ("secret", or_none(self.secret_name.as_deref())),
            ("found", found),
            ("backend", or_none(self.backend)),
            ("ambient", if self.ambient { "on" } else { "off" }.to_owned()),
            ("config", files),
        ];
        let mut lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<9} {value}")).collect();
        lines.extend(self.problem.iter().map(|problem| format!("problem   {}", style.bad(problem))));
        lines.join("\n") + "\n"
    }
}
