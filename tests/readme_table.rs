//! What README.md and the book say in tables is what the code says.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use beta9_credential::backend::{Backend, User};
use beta9_credential::config::{Config, Env};
use beta9_credential::error::Code;
use beta9_credential::host::Host;
use beta9_credential::keys::Keys;
use beta9_credential::registry::Registry;

const README: &str = include_str!("../README.md");
const REGISTRIES: &str = include_str!("../docs/registries.md");
const TROUBLESHOOTING: &str = include_str!("../docs/troubleshooting.md");
const CONFIGURATION: &str = include_str!("../docs/configuration.md");

#[test]
fn the_table_of_registries_is_the_codes() {
    let mut wanted =
        String::from("| registry | hosts | keys of its secret | user name |\n|---|---|---|---|\n");
    for name in Registry::names() {
        let row = Registry::named(name).unwrap();
        // The pairs that every registry takes are said once, in the generic row.
        let common = Registry::named("public").unwrap().backends().count();
        let own = if name == "generic" {
            common
        } else {
            row.backends().count() - common
        };
        let (keys, users): (Vec<_>, Vec<_>) = row.backends().take(own).map(keys_and_user).unzip();
        let hosts: Vec<_> = hosts_of(row)
            .iter()
            .map(|host| format!("`{host}`"))
            .collect();
        let or = |cells: &[String], between: &str, none: &str| {
            if cells.is_empty() {
                none.to_owned()
            } else {
                cells.join(between)
            }
        };
        let cells = [
            or(&hosts, ", ", "every other host"),
            or(&keys, "<br>", "none needed"),
            or(&users, "<br>", "–"),
        ]
        .join(" | ");
        writeln!(wanted, "| [`{name}`]({}) | {cells} |", row.docs).unwrap();
    }
    let table = between(REGISTRIES, "<!-- registries:", "<!-- end of registries -->");
    assert!(
        table.trim() == wanted.trim(),
        "docs/registries.md should hold:\n\n{wanted}"
    );
}

fn keys_and_user(backend: &Backend) -> (String, String) {
    match backend {
        Backend::Fixed {
            user: User::Key(user),
            secret,
        } => (
            format!("`{user}` and `{secret}`"),
            format!("`{user}`'s value"),
        ),
        Backend::Fixed {
            user: User::Literal(word),
            secret,
        } => (format!("`{secret}`"), format!("`{word}`")),
        Backend::Fixed {
            user: User::Secret,
            secret,
        } => (format!("`{secret}`"), "the token itself".to_owned()),
        cloud => {
            let words = cloud.wants();
            let keys: Vec<_> = words
                .split(' ')
                .map(|word| {
                    let (key, comma) = word.strip_suffix(',').map_or((word, ""), |key| (key, ","));
                    if key.contains('_') {
                        format!("`{key}`{comma}")
                    } else {
                        word.to_owned()
                    }
                })
                .collect();
            (
                keys.join(" "),
                format!("`{}`", cloud.username(&Keys::default())),
            )
        }
    }
}

/// The patterns of a row as they stand in the source, each of which must lead to that row.
/// A row's patterns, each of which has a host that this row is for.
fn hosts_of(row: &'static Registry) -> &'static [&'static str] {
    for host in row.hosts() {
        let sample = host.replace("{account}", "123456789012").replace('*', "x1");
        assert_eq!(
            Registry::of(&Host::parse(sample.as_bytes()).unwrap()).name,
            row.name,
            "{host}"
        );
    }
    row.hosts()
}

#[test]
fn the_table_of_codes_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once("| code |").unwrap();
    let mut wanted = format!("{head}| code | meaning |\n|---|---|\n");
    for code in Code::ALL {
        writeln!(wanted, "| `{code}` | {} |", code.about()).unwrap();
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        wanted,
        "BLESS=1 cargo test --test readme_table writes it"
    );
}

#[test]
fn every_error_text_in_the_troubleshooting_table_is_in_the_code() {
    let source = source();
    let table = between(TROUBLESHOOTING, "<!-- errors:", "<!-- end of errors -->");
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let cell = row.split('|').nth(1).unwrap();
        let texts: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!texts.is_empty(), "no text in {row}");
        for part in texts.iter().flat_map(|text| text.split('…')) {
            assert!(
                source.contains(part.trim()),
                "the code does not say \"{}\"",
                part.trim()
            );
        }
    }
}

#[test]
fn every_setting_is_documented_and_every_documented_setting_exists() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let example = between(CONFIGURATION, "```toml", "```");
    fs::write(&file, example).unwrap();
    let env = Env::of([("BETA9_CREDENTIAL_CONFIG", file.to_str().unwrap())]);
    let config = Config::load(&env).unwrap();
    assert_eq!(config.rules().len(), 5);
    // A key is a line such as `backend: String,` in the list of settings, and a section one such as `[store: Store]`.
    let code = include_str!("../src/config/options.rs");
    let (_, list) = code.split_once("\nsections! {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let keys: Vec<_> = list
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(key, _)| key.trim().trim_start_matches('['))
        .collect();
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        let documented = example.lines().any(|line| {
            line.starts_with(&format!("{key} = "))
                || line.contains(&format!(" or {key} = "))
                || line.contains(&format!("{key}]"))
                || line.contains(&format!("[{key}"))
        });
        assert!(
            documented,
            "the example of docs/configuration.md lacks {key}"
        );
    }
}

#[test]
fn every_variable_is_documented_and_every_documented_variable_exists() {
    let in_code: BTreeSet<_> = variables(&source())
        .into_iter()
        .filter(|name| !name.contains("TEST"))
        .collect();
    assert_eq!(variables(&written()), in_code);
}

/// README.md and every page of the book.
fn written() -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = fs::read_dir(docs).unwrap().map(|page| page.unwrap().path());
    pages
        .filter(|page| page.extension().is_some_and(|end| end == "md"))
        .fold(README.to_owned(), |text, page| {
            text + &fs::read_to_string(page).unwrap()
        })
}

#[test]
fn a_time_that_a_page_claims_was_measured_on_the_machine_that_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let results = fs::read_to_string(root.join("benches/RESULTS.md")).unwrap();
    for page in ["README.md", "docs/design.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let (before, _) = text.split_once(" ms").unwrap();
        let claim = text.split("\n\n").find(|part| part.contains(" ms"));
        let claim = claim
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let figure = before.split_whitespace().next_back().unwrap();
        let measured = format!(
            "| `get`, cached ECR token, embedded store: time | ≤ 2 × Rust hello | {figure} ms,"
        );
        assert!(results.contains(&measured), "{page} claims {figure} ms");
        for of_the_machine in ["2 cores", "Xeon", "Linux 6.18"] {
            assert!(
                claim.contains(of_the_machine) && results.contains(of_the_machine),
                "{page} does not say {of_the_machine}"
            );
        }
    }
}

fn variables(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        let end = rest
            .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            .unwrap_or(rest.len());
        format!("BETA9_{}", &rest[..end])
    };
    text.split("BETA9_")
        .skip(1)
        .map(name)
        .filter(|name| !name.ends_with('_'))
        .collect()
}

fn between(page: &'static str, start: &str, end: &str) -> &'static str {
    let (_, rest) = page.split_once(start).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once(end).unwrap().0
}

/// All of src/, with the escapes of string literals undone.
fn source() -> String {
    fn read(directory: &Path, text: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text.replace("\\\"", "\"")
}

#[test]
fn every_test_that_security_md_names_exists() {
    let table = include_str!("../SECURITY.md")
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect::<Vec<_>>()
        .join("\n");
    let named: Vec<_> = table
        .split('`')
        .filter_map(|text| text.split_once(": "))
        .filter(|(file, _)| {
            file.contains('/') && (file.starts_with("src/") || file.starts_with("tests/"))
        })
        .collect();
    assert!(named.len() > 100, "{}", named.len());
    for (file, name) in named {
        let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(code.contains(name), "{file} has no {name}");
    }
}

#[test]
fn every_direct_dependency_is_explained() {
    let cargo = include_str!("../Cargo.toml");
    let docs = include_str!("../docs/dependencies.md");
    let mut section = "";
    for line in cargo.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let is_ours = section == "[dependencies]" || section.contains("musl");
        let named = line
            .split_once(" = ")
            .filter(|(name, _)| !name.starts_with('['));
        if let Some((name, _)) = named.filter(|_| is_ours) {
            assert!(
                docs.contains(&format!("`{name}`")),
                "{name} is not explained"
            );
        }
    }
}
