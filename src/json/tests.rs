use std::time::Duration;

use super::*;

/// Parses a valid text, then that text with every kind of fault in every place, and asserts that no error quotes a
/// value.
pub(crate) fn no_error_quotes_a_value<T, E: fmt::Display>(
    sound: &str,
    read: impl Fn(&[u8]) -> Result<T, E>,
) {
    if let Err(error) = read(sound.as_bytes()) {
        panic!("{sound}: {error}");
    }
    let cut = (0..sound.trim_end().len()).filter_map(|end| Some(sound.get(..end)?.to_owned()));
    let changed = faults(&serde_json::from_str(sound).unwrap());
    let errors: Vec<_> = cut
        .chain(changed)
        .chain([format!("{sound}{sound}"), format!("[{sound}]")])
        .filter_map(|text| Some((read(text.as_bytes()).err()?.to_string(), text)))
        .collect();
    assert!(errors.len() >= sound.len() / 2, "faults are found");
    for (error, text) in errors {
        let quotes = ["hunter2", "7777777"]
            .iter()
            .any(|canary| error.contains(canary));
        assert!(!quotes, "{text}: {error}");
    }
}

/// The texts of a value with one fault each.
fn faults(value: &serde_json::Value) -> Vec<String> {
    let mut all = vec![];
    if let Some(array) = value.as_array() {
        for fault in array.iter().flat_map(faults) {
            all.push(format!("[{fault}]"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let rest = (value.as_object().unwrap().iter())
            .filter(|(other, _)| *other != name)
            .map(|(other, value)| format!("{other:?}:{value},"));
        let rest = rest.collect::<Vec<_>>().concat();
        for fault in faults(member) {
            all.push(format!("{{{rest}{name:?}:{fault}}}"));
        }
        all.push(format!("{{{rest}{name:?}:{member},{name:?}:\"hunter2\"}}"));
        all.push(format!("{{{rest}\"other\":\"hunter2\"}}"));
    }
    let wrong = [
        "null",
        "true",
        "-7777777",
        "7777777.5",
        "7777777e999",
        "\"hunter2\"",
        "\"hunter2\\q\"",
        "[\"hunter2\",7777777]",
        "{\"a\":\"hunter2\",\"b\":7777777}",
        "{\"a\":\"hunter2\",\"a\":7777777}",
        "hunter2",
    ];
    all.into_iter().chain(wrong.map(str::to_owned)).collect()
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Strict {
    text: Redacted,
    number: u8,
    word: Option<Word>,
    texts: std::collections::BTreeMap<String, Redacted>,
    inner: Option<Box<Strict>>,
}

#[derive(Debug, serde::Deserialize)]
enum Word {
    One,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Tolerant {
    text: Loose<Redacted>,
    nullable: Loose<Option<Vec<String>>>,
    seconds: Loose<f64>,
    inner: Loose<Inner>,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
struct Inner {
    text: String,
}

#[test]
fn what_serde_says_of_a_fault_is_never_told() {
    let strict = r#"{"text":"hunter2","number":7,"word":"One","texts":{"a":"hunter2"},"inner":{"text":"hunter2"}}"#;
    no_error_quotes_a_value(strict, object::<Strict>);
    no_error_quotes_a_value(strict, parse_object);
    no_error_quotes_a_value(strict, parse::<Value>);
    for (text, said) in [
        (
            r#"{"text":7777777}"#,
            "it does not have the expected form (line 1, column 15)",
        ),
        (
            r#"{"word":"hunter2"}"#,
            "it does not have the expected form (line 1, column 17)",
        ),
        (
            r#"{"hunter2":1}"#,
            "it does not have the expected form (line 1, column 10)",
        ),
        (
            r#"{"text":"hunter2","text":1}"#,
            "a key stands in it twice (line 1, column 27)",
        ),
        (
            r#"{"number":7777777e999}"#,
            "it is not well-formed (line 1, column 21)",
        ),
        (
            r#"{"text":"hunter2"#,
            "it ends too early (line 1, column 16)",
        ),
        (r#"["hunter2",7,null,{},null]"#, "it is not an object"),
    ] {
        assert_eq!(
            object::<Strict>(text.as_bytes()).unwrap_err().to_string(),
            said
        );
    }
}

#[test]
fn a_wrong_type_does_not_spoil_the_document_but_a_repeated_member_does() {
    let read = |text: &str| object::<Tolerant>(text.as_bytes());
    let whole =
        read(r#"{"text":"a","nullable":["b"],"seconds":1.5,"inner":{"text":"c","x":1},"y":[{}]}"#);
    assert_eq!(
        whole,
        Ok(Tolerant {
            text: Loose::Is("a".into()),
            nullable: Loose::Is(Some(vec!["b".to_owned()])),
            seconds: Loose::Is(1.5),
            inner: Loose::Is(Inner {
                text: "c".to_owned()
            }),
        })
    );
    assert_eq!(read("{}"), Ok(Tolerant::default()));
    let other = Tolerant {
        text: Loose::Other,
        nullable: Loose::Other,
        seconds: Loose::Other,
        inner: Loose::Other,
    };
    for wrong in [
        r#"{"text":1,"nullable":["b",1],"seconds":"1","inner":["c"]}"#,
        r#"{"text":null,"nullable":"b","seconds":[1],"inner":"c"}"#,
        r#"{"text":["a"],"nullable":{},"seconds":null,"inner":{"text":1}}"#,
    ] {
        assert_eq!(read(wrong), Ok(other.clone()), "{wrong}");
    }
    let null = read(r#"{"nullable":null}"#).unwrap();
    assert_eq!(null.nullable, Loose::Is(None));
    for twice in [
        r#"{"text":"a","text":"a"}"#,
        r#"{"inner":{"text":"c","text":"c"}}"#,
        r#"{"inner":{"text":"c","x":1,"x":1}}"#,
        r#"{"text":{"x":1,"x":1}}"#,
    ] {
        let error = read(twice).unwrap_err().to_string();
        assert!(error.starts_with("a key stands in it twice"), "{error}");
    }
    for seconds in [-1.0, 1e300] {
        assert_eq!(Loose::Is(seconds).seconds(), None);
    }
    assert_eq!(Loose::Is(1.5).seconds(), Some(Duration::from_millis(1500)));
}

#[test]
fn repeated_keys_trailing_text_and_broken_json_are_errors_that_quote_nothing() {
    for text in [
        r#"{"hunter2":"hunter2","hunter2":1}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":"hunter2"} x"#,
        r#"{"a":"hunter2"#,
        "",
        "{'hunter2'}",
    ] {
        let error = parse_object(text.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(
        parse::<Value>(br#"{"a":1,"a":2}"#).unwrap_err().to_string(),
        "a key stands in it twice (line 1, column 13)"
    );
    assert_eq!(
        parse_object(b"[]").unwrap_err().to_string(),
        "it is not an object"
    );
}
