//! README.md, the book and the files that repeat a table of the code must match the code. `BLESS=1 cargo test --test
//! readme_table` writes those that are generated from the code.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use beta9_credential::backend::{Backend, User};
use beta9_credential::config::{Config, Env, StoreKind};
use beta9_credential::error::Code;
use beta9_credential::host::Host;
use beta9_credential::keys::Keys;
use beta9_credential::registry::{Registry, match_images};

const README: &str = include_str!("../README.md");
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
    let page = root().join("docs/registries.md");
    let text = fs::read_to_string(&page).unwrap();
    let (head, rest) = text.split_once("| registry |").unwrap();
    let (_, tail) = rest.split_once("<!-- end of registries -->").unwrap();
    is_written(
        &page,
        &format!("{head}{wanted}<!-- end of registries -->{tail}"),
    );
}

#[test]
fn kubelets_configuration_matches_every_registry_of_the_table() {
    let file = root().join("packaging/kubernetes/credential-provider.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("    matchImages:\n").unwrap();
    let tail: String = rest
        .split_inclusive('\n')
        .skip_while(|line| line.starts_with("      - "))
        .collect();
    let mut wanted = format!("{head}    matchImages:\n");
    for image in match_images() {
        writeln!(wanted, "      - \"{image}\"").unwrap();
    }
    is_written(&file, &(wanted + &tail));
}

#[test]
fn the_match_images_fixture_is_generated_from_the_table() {
    let file = root().join("tests/fixtures/match-images.txt");
    is_written(&file, &(match_images().join("\n") + "\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with the generated text, or writes it.
fn is_written(file: &Path, wanted: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(file, wanted).unwrap();
    }
    assert!(
        fs::read_to_string(file).unwrap() == wanted,
        "{} is not what the code makes of it: BLESS=1 cargo test --test readme_table writes it",
        file.display()
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
    let path = root().join("docs/errors.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once("| code |").unwrap();
    let mut wanted = format!("{head}| code | meaning |\n|---|---|\n");
    for code in Code::ALL {
        writeln!(wanted, "| `{code}` | {} |", code.about()).unwrap();
    }
    is_written(&path, &wanted);
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
    let documented = documented(example);
    let settings = settings(include_str!("../src/config/options.rs"));
    assert!(settings.len() > 40, "{settings:?}");
    for (section, key) in settings {
        assert!(
            documented.contains(&(section.clone(), key.clone())),
            "[{section}] of the example in docs/configuration.md lacks {key}"
        );
    }
}

/// The settings in the code, each with its section. A key is a line such as `backend: String,` in the list of settings, and a
/// section in a section is one such as `[store: Store]`.
fn settings(code: &str) -> BTreeSet<(String, String)> {
    let (_, list) = code.split_once("\nsections! {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let mut sections = BTreeMap::from([("Options", String::new())]);
    let (mut section, mut settings) = (String::new(), BTreeSet::new());
    for line in list.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" is \"") {
            section.clone_from(&sections[name]);
        } else if let Some((key, kind)) = line.split_once(": ") {
            match key.strip_prefix('[') {
                Some(inner) => {
                    let kind = kind.trim_start_matches("Vec<").trim_end_matches([']', '>']);
                    let path = format!("{section}.{inner}");
                    sections.insert(kind, path.trim_start_matches('.').to_owned());
                }
                None => _ = settings.insert((section.clone(), key.to_owned())),
            }
        }
    }
    settings
}

/// The settings in an example, each with its section: what stands before a `=`, also in a comment.
fn documented(example: &str) -> BTreeSet<(String, String)> {
    let (mut section, mut keys) = (String::new(), BTreeSet::new());
    for line in example.lines() {
        if line.starts_with('[') {
            let (header, _) = line.split_once(']').unwrap();
            header.trim_start_matches('[').clone_into(&mut section);
        }
        let words: Vec<_> = line.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[1] == "=") {
            keys.insert((section.clone(), pair[0].to_owned()));
        }
    }
    keys
}

#[test]
fn every_kind_of_store_is_documented_and_has_the_contract() {
    let contract = include_str!("contract.rs");
    for kind in StoreKind::ALL {
        let name = format!("`{}`", kind.name());
        let documented = |line: &str| line.starts_with("| `store.kind` |") && line.contains(&name);
        assert!(
            CONFIGURATION.lines().any(documented),
            "the row of store.kind in docs/configuration.md lacks {name}"
        );
        let module = format!("mod {}_store {{", kind.name());
        assert!(
            contract.contains(&module),
            "a contract macro of tests/contract.rs lacks {module}"
        );
    }
}

#[test]
fn every_variable_is_documented_and_every_documented_variable_exists() {
    let in_code: BTreeSet<_> = variables(&source())
        .into_iter()
        .filter(|name| !name.contains("TEST"))
        .collect();
    let on_pages = variables(&written());
    let only: Vec<_> = on_pages.symmetric_difference(&in_code).collect();
    assert!(
        only.is_empty(),
        "in the code or on a page, but not in both: {only:?}"
    );
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
fn every_member_of_the_commands_json_is_documented() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str], input: &str| {
        let binary = Path::new(env!("CARGO_BIN_EXE_docker-credential-beta9"));
        let mut child = Command::new(binary)
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", binary.parent().unwrap())
            .envs([("GITHUB_USERNAME", "octo"), ("GITHUB_TOKEN", "ghp_example")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    run(
        &["store"],
        r#"{"ServerURL":"ghcr.io","Username":"octo","Secret":"ghp_example"}"#,
    );
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md")).unwrap();
    let lines = [
        "explain ghcr.io/org/app:1.2",
        "check 127.0.0.1:1/org/app",
        "doctor",
        "configure docker --hosts ghcr.io --dry-run",
        "import docker --dry-run",
        "status",
        "refresh",
        "provision ghcr.io/org/app --creds GITHUB_USERNAME,GITHUB_TOKEN",
    ];
    // These need a gateway or a database.
    let others = ["migrate", "publish"];
    let help = run(&["--help"], "");
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands
        .split("\n\n")
        .next()
        .unwrap()
        .lines()
        .filter_map(|row| row.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        let is_run = lines
            .iter()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(
            is_run || others.contains(&name) || !run(&[name, "--help"], "").contains("--json"),
            "add a call of {name} to this test"
        );
    }
    for line in lines {
        let args: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let (_, section) = page.split_once(&format!("\n## {}\n", args[0])).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let shared = ["client", "asks", "file", "key"].map(str::to_owned);
        let answer = serde_json::from_str(&run(&args, "")).unwrap();
        let members = members(&answer);
        assert!(!members.is_empty(), "{line}: {answer}");
        for member in members {
            assert!(
                section.contains(&format!("`{member}`")) || shared.contains(&member),
                "docs/commands.md does not say what {member} of {} is",
                args[0]
            );
        }
    }
}

/// The names of all members, at every depth.
fn members(value: &serde_json::Value) -> BTreeSet<String> {
    match value {
        serde_json::Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| {
                let mut names = members(value);
                names.insert(name.clone());
                names
            })
            .collect(),
        serde_json::Value::Array(values) => values.iter().flat_map(members).collect(),
        _ => BTreeSet::new(),
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
