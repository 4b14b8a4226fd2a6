//! `man`: the manual page, made of what `--help` says.

use clap::{Arg, ArgMatches, Command};

use super::unwritable;
use crate::Io;
use crate::config::Env;
use crate::error::Error;

mod roff;

use roff::Page;

pub(super) fn command() -> Command {
    Command::new("man")
        .about("Print the manual page, in roff")
        .after_help(
            "Exit status: 0; 1 on a failure.\n\nExample: docker-credential-beta9 man | man -l -",
        )
}

pub(super) fn run(_matches: &ArgMatches, _env: &Env, io: &mut Io) -> Result<(), Error> {
    io.out
        .write_all(page(super::root()).as_bytes())
        .map_err(unwritable)
}

/// One page for the program with all its commands: clients call them all by the one name.
fn page(mut root: Command) -> String {
    root.build();
    let name = root.get_name().to_owned();
    let mut page = Page::new(&name, env!("CARGO_PKG_VERSION"));
    page.section("NAME");
    page.text(&format!(
        "{name} - {}",
        lowercase_first(&text(root.get_about()))
    ));
    page.section("SYNOPSIS");
    page.synopsis(&name, "COMMAND [OPTION…] [ARGUMENT…]");
    page.section("DESCRIPTION");
    page.block(DESCRIPTION);
    page.paragraph();
    page.block(&text(root.get_after_help()));
    page.section("COMMANDS");
    for command in below(&root) {
        describe(&mut page, "", command);
    }
    for (title, lines) in CLOSING {
        page.section(title);
        page.block(lines);
    }
    page.finish()
}

/// A command's own commands, without the one that clap adds.
fn below(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn describe(page: &mut Page, above: &str, command: &Command) {
    let name = format!("{above}{}", command.get_name());
    page.subsection(&name);
    page.synopsis(&name, &usage(command));
    page.paragraph();
    page.text(&format!(
        "{}.",
        text(command.get_long_about().or(command.get_about())).trim_end_matches('.')
    ));
    for arg in command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
    {
        page.term(&term(arg), &help(arg));
    }
    let after = text(command.get_after_long_help().or(command.get_after_help()));
    if !after.is_empty() {
        page.paragraph();
        page.block(&after);
    }
    for command in below(command) {
        describe(page, &format!("{name} "), command);
    }
}

/// What stands behind the command's name: `[--json] HOST|IMAGE`.
fn usage(command: &Command) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
    let (positional, options): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .filter(shown)
        .partition(|arg| arg.is_positional());
    let words = options.into_iter().chain(positional).map(|arg| {
        let term = term(arg);
        if arg.is_required_set() {
            term
        } else {
            format!("[{term}]")
        }
    });
    let mut words: Vec<String> = words.collect();
    if below(command).next().is_some() {
        words.push("COMMAND".to_owned());
    }
    words.join(" ")
}

/// `--image-id ID`, `-j, --json` or `IMAGE…`.
fn term(arg: &Arg) -> String {
    let names = [
        arg.get_short().map(|c| format!("-{c}")),
        arg.get_long().map(|long| format!("--{long}")),
    ];
    let mut words: Vec<String> = Vec::new();
    let names: Vec<_> = names.into_iter().flatten().collect();
    if !names.is_empty() {
        words.push(names.join(", "));
    }
    if arg.is_positional() || arg.get_action().takes_values() {
        let values = arg.get_value_names().map(|names| {
            names
                .iter()
                .map(clap::builder::Str::as_str)
                .collect::<Vec<_>>()
        });
        words.push(values.map_or_else(
            || arg.get_id().as_str().to_uppercase(),
            |names| names.join(" "),
        ));
    }
    let many = arg
        .get_num_args()
        .is_some_and(|count| count.max_values() > 1);
    format!("{}{}", words.join(" "), if many { "…" } else { "" })
}

fn help(arg: &Arg) -> String {
    let mut help = text(arg.get_long_help().or(arg.get_help()));
    let values: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        help = format!("{help}: {}", values.join(", "));
    }
    help
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// A manual's NAME line goes on in lower case behind its dash.
fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

const DESCRIPTION: &str = "\
Finds the credential that a Beta9 workspace has for a registry, and answers it as the user name and password that this \
registry takes. For Amazon ECR, Google Artifact Registry and Azure Container Registry it mints a short-lived token and \
keeps it, sealed, for all processes of the node's user. A failure is never answered as \"no credential\".";

const CLOSING: [(&str, &str); 4] = [
    (
        "EXIT STATUS",
        "0 on success, 1 otherwise. A failure is one line: the registry, the part, the cause and the remedy.",
    ),
    (
        "ENVIRONMENT",
        "Every setting has a variable; README.md has the table. Often used:\n\n  \
         BETA9_CREDENTIAL_CONFIG  the configuration file\n  \
         BETA9_WORKSPACE_ID       whose credentials are asked for\n  \
         BETA9_IMAGE_CREDENTIALS  a request's own credential\n  \
         DOCKER_CONFIG            where docker's config.json is\n  \
         NO_COLOR                 no colour, also on a terminal",
    ),
    (
        "FILES",
        "  /etc/beta9/credential-helper.toml       settings of the node\n  \
         ~/.config/beta9/credential-helper.toml  settings of the user, over them\n  \
         ~/.local/share/beta9/credentials        the built-in store, sealed\n  \
         ~/.cache/beta9/tokens                   minted tokens, sealed",
    ),
    (
        "SEE ALSO",
        "docker(1), docker-login(1), podman(1), containers-auth.json(5), containers-registries.conf(5)",
    ),
];
