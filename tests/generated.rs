//! `configure` on generated JSON, TOML and YAML: the result parses, differs only in the helper, keeps the comments, and
//! undoing restores the meaning. `GENERATED_FILES` sets the number of files, of which one in ten is YAML.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

use std::fmt::Write;

use beta9_credential::client::edit::{Providers, add_helper, remove_helper, set_helpers};
use beta9_credential::json::{self, Value};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

fn each(kind: u64, percent: u64, mut check: impl FnMut(&mut Dice, u64)) {
    let files: u64 = std::env::var("GENERATED_FILES").map_or(2500, |files| files.parse().unwrap());
    for file in 1..=files * percent / 100 {
        let mut dice = Dice(u64::wrapping_mul(file, 0x9E37_79B9_7F4A_7C15) ^ kind);
        (0..8).for_each(|_| _ = dice.roll(2));
        check(&mut dice, file);
    }
}

const TEXTS: [&str; 9] = [
    "x",
    "",
    "a b",
    "#",
    "[a]",
    "credHelpers",
    "beta9x",
    "e\\u0301 \\\"q\\\"",
    "{\\\\",
];
const JSON_BLANKS: [&str; 5] = ["", "", " ", "\n\t", "\r\n  "];

fn json_value(dice: &mut Dice, depth: u64, out: &mut String) {
    match dice.roll(if depth == 0 { 4 } else { 6 }) {
        0 => out.push_str(dice.pick(&["1", "-2.50", "1e9", "12345678901234567890123"])),
        1 => out.push_str(dice.pick(&["true", "false", "null"])),
        2 | 3 => write!(out, "\"{}\"", dice.pick(&TEXTS)).unwrap(),
        4 => {
            out.push('[');
            for at in 0..dice.roll(3) {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(dice.pick(&JSON_BLANKS));
                json_value(dice, depth - 1, out);
            }
            out.push(']');
        }
        _ => json_object(dice, depth - 1, &[], out),
    }
}

fn json_object(dice: &mut Dice, depth: u64, first: &[(String, String)], out: &mut String) {
    let mut members = first.to_vec();
    for at in 0..dice.roll(4) {
        let mut value = String::new();
        json_value(dice, depth, &mut value);
        let place = usize::try_from(dice.roll(members.len() as u64 + 1)).unwrap();
        members.insert(place, (format!("k{at}{}", dice.pick(&TEXTS)), value));
    }
    out.push('{');
    for (at, (key, value)) in members.iter().enumerate() {
        let [before, colon, behind] = [(); 3].map(|()| dice.pick(&JSON_BLANKS));
        let comma = if at > 0 { "," } else { "" };
        write!(out, "{comma}{before}\"{key}\"{colon}:{behind}{value}").unwrap();
    }
    out.push_str(dice.pick(&JSON_BLANKS));
    out.push('}');
}

/// The members of a file, and apart from them its helpers.
fn parts(text: &str) -> (Vec<(String, Value)>, Vec<(String, Value)>) {
    let object = json::parse_object(text.as_bytes()).unwrap();
    let members = object
        .iter()
        .map(|(key, value)| (key.to_owned(), value.clone()));
    let (helpers, others): (Vec<_>, Vec<_>) =
        members.partition(|(key, _)| key.eq_ignore_ascii_case("credHelpers"));
    let helpers = helpers.into_iter().flat_map(|(_, value)| match value {
        Value::Object(all) => all.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect(),
        _ => Vec::new(),
    });
    (others, helpers.collect())
}

#[test]
fn generated_json_differs_only_in_the_helper_and_says_what_it_said_once_undone() {
    each(1, 45, |dice, file| {
        let helpers = match dice.roll(5) {
            0 => None,
            1 => Some("{}".to_owned()),
            2 => Some("null".to_owned()),
            _ => Some(format!(
                "{{\"b.example\":\"pass\",{}\"c.example\" : \"beta9\"}}",
                dice.pick(&JSON_BLANKS)
            )),
        };
        let section = dice.pick(&["credHelpers", "credHelpers", "CredHelpers"]);
        let first: Vec<_> = helpers
            .map(|helpers| (section.to_owned(), helpers))
            .into_iter()
            .collect();
        let mut text = String::new();
        json_object(dice, 3, &first, &mut text);
        let (others, before) = parts(&text);
        let (wired, _) = set_helpers(&text, &[(Some("a.example"), Some("beta9"))], true).unwrap();
        let (now, mut after) = parts(&wired);
        assert_eq!(now, others, "{file}: {text}");
        assert_eq!(
            after.pop(),
            Some(("a.example".into(), Value::Text("beta9".into()))),
            "{file}: {text}"
        );
        assert_eq!(after, before, "{file}: {text}");
        let (again, _) = set_helpers(&wired, &[(Some("a.example"), Some("beta9"))], true).unwrap();
        assert_eq!(again, wired, "{file}: {text}");
        let (undone, _) = set_helpers(&wired, &[(Some("a.example"), None)], false).unwrap();
        assert_eq!(parts(&undone), (others, before), "{file}: {text}");
    });
}

fn toml_file(dice: &mut Dice) -> String {
    let end = dice.pick(&["\n", "\n", "\r\n"]);
    let mut lines: Vec<String> = Vec::new();
    let mut at = 0;
    let mut line = |lines: &mut Vec<String>, dice: &mut Dice| {
        at += 1;
        let key = dice.pick(&["k_", "a.b_", "\"q _r\"", "x.'y.z_'", "x._.y"]);
        let key = key.replace('_', &at.to_string());
        let value = match dice.roll(7) {
            0 => "[\n  \"a\", # one\n  \"b\"\n]".to_owned(),
            1 => "\"\"\"\n[a]\ncredential-helpers = 1\n\"\"\"".to_owned(),
            2 => "'''\n# no comment\n'''".to_owned(),
            3 => "{ x = 1, y = \"#\" }".to_owned(),
            4 => "1979-05-27T07:32:00Z".to_owned(),
            5 => format!("[[1, 2], [\"{}\"]]", dice.pick(&["a", "]", "#"])),
            _ => dice
                .pick(&["true", "0x1F", "1.50", "\"t\"", "'[a]'"])
                .to_owned(),
        };
        let comment = dice.pick(&["", "", " # why", "  # \"odd\" [x]"]);
        lines.push(format!("{key} = {value}{comment}"));
    };
    let blank = |lines: &mut Vec<String>, dice: &mut Dice| {
        if dice.roll(3) == 0 {
            lines.push(dice.pick(&["", "# a comment", "   # indented"]).to_owned());
        }
    };
    let list_at = dice.roll(6);
    for at in 0..dice.roll(5) {
        blank(&mut lines, dice);
        line(&mut lines, dice);
        if at == list_at {
            let list = dice.pick(&[
                "[]",
                "[\"pass\"]",
                "[ 'pass', \"containers-auth.json\" ]",
                "[\n  # first\n  \"pass\", # p\n  'x',\n]",
                "[\"containers-auth.json\", \"beta9\"]",
                "[\n\t\"containers-auth.json\", # files\n\t\"beta9\" # ours\n]",
            ]);
            lines.push(format!("credential-helpers = {list} # list"));
        }
    }
    for table in 0..dice.roll(4) {
        blank(&mut lines, dice);
        lines.push(match dice.roll(3) {
            0 => "[[registry]]".to_owned(),
            1 => format!("[t{table}]"),
            _ => format!("[t{table}.\"u v\"] # table"),
        });
        for _ in 0..dice.roll(3) {
            line(&mut lines, dice);
        }
    }
    blank(&mut lines, dice);
    let text = lines.join("\n").replace('\n', end);
    if dice.roll(4) == 0 { text } else { text + end }
}

fn comments(text: &str) -> Vec<&str> {
    let all = text
        .lines()
        .filter_map(|line| Some(line.split_once('#')?.1.trim()));
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all
}

#[test]
fn generated_toml_differs_only_in_the_helper_and_says_what_it_said_once_undone() {
    let parts = |text: &str| {
        let mut table: toml::Table = text.parse().unwrap();
        let list = table.remove("credential-helpers");
        let list = list.map(|list| list.as_array().unwrap().clone());
        (table, list.unwrap_or_default())
    };
    let without = |mut list: Vec<toml::Value>| {
        list.retain(|name| name.as_str() != Some("beta9"));
        list
    };
    each(2, 45, |dice, file| {
        let text = toml_file(dice);
        let (others, before) = parts(&text);
        let (wired, made) = add_helper(&text, &[]).unwrap();
        let (now, after) = parts(&wired);
        assert_eq!(now, others, "{file}: {text}");
        assert_eq!(after[0].as_str(), Some("beta9"), "{file}: {text}");
        let expected = if before.is_empty() {
            vec!["containers-auth.json".into()]
        } else {
            without(before.clone())
        };
        assert_eq!(without(after), expected, "{file}: {text}\n---\n{wired}");
        assert_eq!(
            comments(&wired),
            comments(&text),
            "{file}: {text}\n---\n{wired}"
        );
        assert_eq!(add_helper(&wired, &[]).unwrap().0, wired, "{file}: {text}");
        let undone = remove_helper(&wired, made.then_some(&[])).unwrap().unwrap();
        assert_eq!(
            parts(&undone),
            (others, without(before)),
            "{file}: {text}\n---\n{undone}"
        );
        assert_eq!(
            comments(&undone),
            comments(&text),
            "{file}: {text}\n---\n{undone}"
        );
    });
}

fn yaml_file(dice: &mut Dice) -> String {
    let head = [
        "kind: CredentialProviderConfig",
        "apiVersion: kubelet.config.k8s.io/v1",
    ];
    let comment = |dice: &mut Dice| dice.pick(&["", "", " # why", "  # \"odd\" - x"]);
    let mut lines: Vec<String> = Vec::new();
    if dice.roll(4) == 0 {
        lines.push("---".into());
    }
    let providers_at = dice.roll(3);
    for at in 0..3 {
        if dice.roll(3) == 0 {
            lines.push(dice.pick(&["", "# a comment", "  # indented"]).to_owned());
        }
        if at == providers_at {
            yaml_providers(dice, &mut lines);
        }
        if let Some(line) = head.get(usize::try_from(at).unwrap()) {
            lines.push(format!("{line}{}", comment(dice)));
        }
    }
    if dice.roll(3) == 0 {
        lines.push("# the end".into());
    }
    let text = lines.join("\n");
    if dice.roll(4) == 0 { text } else { text + "\n" }
}

fn yaml_providers(dice: &mut Dice, lines: &mut Vec<String>) {
    let count = dice.roll(4);
    if count == 0 {
        lines.push(
            dice.pick(&[
                "providers: []",
                "providers: [] # none yet",
                "\"providers\": [ ]",
            ])
            .to_owned(),
        );
        return;
    }
    if dice.roll(6) == 0 {
        lines.push("providers: [{name: p0, args: [a, 'b, c']}, {\"name\": \"p1\"}] # flow".into());
        return;
    }
    lines.push(format!("providers:{}", dice.pick(&["", " # all"])));
    let pad = dice.pick(&["", "  ", "    "]);
    for at in 0..count {
        if dice.roll(4) == 0 {
            lines.push(dice.pick(&["", "  # between"]).to_owned());
        }
        let quote = dice.pick(&["", "\"", "'"]);
        let mut keys = vec![format!("name: {quote}p{at}{quote}")];
        for _ in 0..dice.roll(4) {
            let key = match dice.roll(7) {
                0 => "args:\n  - get\n  - \"a: b\" # c".to_owned(),
                1 => "matchImages: [\"*.a.example\", 'b.example:5000']  # both".to_owned(),
                2 => "env:\n  - name: A\n    value: |\n      hunter2\n\n      # text\n      - name: z\n  - {name: B, value: \"{\"}".to_owned(),
                3 => "env:\n- name: A\n  value: >-\n    folded\n    text".to_owned(),
                4 => "defaultCacheDuration: \"12h\"".to_owned(),
                5 => "tokenAttributes:\n  requireServiceAccount: true\n  keys: {a: [1, 2]}".to_owned(),
                _ => "matchImages:\n\n  # images\n  - gcr.io\n\n  - '*.pkg.dev'".to_owned(),
            };
            let name = key.split(':').next().unwrap().to_owned() + ":";
            if !keys.iter().any(|known| known.starts_with(&name)) {
                let place = usize::try_from(dice.roll(keys.len() as u64 + 1)).unwrap();
                keys.insert(place, key);
            }
        }
        let body = keys.join("\n");
        for (index, line) in body.lines().enumerate() {
            let lead = if index == 0 { "- " } else { "  " };
            lines.push(if line.is_empty() {
                String::new()
            } else {
                format!("{pad}{lead}{line}")
            });
        }
    }
}

#[test]
fn generated_yaml_differs_only_in_the_helper_and_says_what_it_said_once_undone() {
    let images: Vec<String> = ["ghcr.io", "*.pkg.dev", "true", "r.example:5000"]
        .map(str::to_owned)
        .into();
    let parse = |text: &str| serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text).unwrap();
    each(3, 10, |dice, file| {
        let text = yaml_file(dice);
        let before = parse(&text);
        let read = Providers::parse(&text).unwrap_or_else(|why| panic!("{file}: {why}: {text}"));
        let done = read
            .with_own(&images, false)
            .unwrap_or_else(|why| panic!("{file}: {why}: {text}"));
        let (wired, _) = done.unwrap();
        let mut after = parse(&wired);
        let own = after["providers"].as_sequence_mut().unwrap().pop().unwrap();
        assert_eq!(own["name"], "docker-credential-beta9", "{file}: {text}");
        let named = own["matchImages"].as_sequence().unwrap();
        assert!(named.iter().eq(&images), "{file}: {}", *wired);
        assert_eq!(after, before, "{file}: {text}\n---\n{}", *wired);
        assert_eq!(
            comments(&wired),
            comments(&text),
            "{file}: {text}\n---\n{}",
            *wired
        );
        let read = Providers::parse(&wired).unwrap();
        assert!(
            read.with_own(&images, false).unwrap().is_none(),
            "{file}: {text}"
        );
        let undone = read
            .without_own(None)
            .unwrap_or_else(|why| panic!("{file}: {why}: {}", *wired));
        let undone = undone.unwrap();
        assert_eq!(parse(&undone), before, "{file}: {text}\n---\n{}", *undone);
        assert_eq!(
            comments(&undone),
            comments(&text),
            "{file}: {text}\n---\n{}",
            *undone
        );
    });
}
