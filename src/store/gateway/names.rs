//! Reads only the names in the list of a workspace's secrets, piece by piece: the API has no paging, and a few thousand
//! secrets exceed the usual limit of an answer. At most one secret is in memory at a time.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::http::Pieces;
use crate::json;

/// A parser for `null` or an array of objects with a name.
pub(super) struct Names {
    wanted: Box<dyn Fn(&str) -> bool + Send>,
    found: BTreeSet<String>,
    all: usize,
    place: Place,
    object: Vec<u8>,
}

/// The member of a listed secret that is read.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The parser's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// After this many letters of `null`.
    Null(usize),
    /// At the first object, or the end of an empty array.
    First,
    Object {
        depth: usize,
        text: Text,
    },
    AfterObject,
    AfterComma,
    End,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

impl Names {
    /// A parser that keeps the wanted names.
    pub(super) fn of(wanted: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self {
            wanted: Box::new(wanted),
            found: BTreeSet::new(),
            all: 0,
            place: Place::Start,
            object: Vec::new(),
        }
    }

    /// The number of secrets, and the wanted names that exist; `None` if the text isn't a complete list.
    pub(super) fn finish(self) -> Option<(usize, BTreeSet<String>)> {
        (self.place == Place::End).then_some((self.all, self.found))
    }

    fn next(&mut self, byte: u8) -> Place {
        match (self.place, byte) {
            (Place::Object { depth, text }, _) => self.within(depth, text, byte),
            (Place::Null(count), _) if NULL.get(count) == Some(&byte) => {
                if count + 1 == NULL.len() {
                    Place::End
                } else {
                    Place::Null(count + 1)
                }
            }
            (Place::Null(_), _) => Place::Broken,
            (place, b' ' | b'\t' | b'\r' | b'\n') => place,
            (Place::Start, b'n') => Place::Null(1),
            (Place::Start, b'[') => Place::First,
            (Place::First | Place::AfterComma, b'{') => {
                self.object.clear();
                self.within(0, Text::Outside, byte)
            }
            (Place::AfterObject, b',') => Place::AfterComma,
            (Place::First | Place::AfterObject, b']') => Place::End,
            _ => Place::Broken,
        }
    }

    /// Finds the object's end, where it is then parsed.
    fn within(&mut self, depth: usize, text: Text, byte: u8) -> Place {
        self.keep(&[byte]);
        if self.object.len() > MAX_OBJECT {
            return Place::Broken;
        }
        let (depth, text) = match (text, byte) {
            (Text::Outside, b'{' | b'[') => (depth + 1, text),
            (Text::Outside, b'}' | b']') if depth == 1 => return self.end_of_object(),
            (Text::Outside, b'}' | b']') => (depth - 1, text),
            (Text::Outside, b'"') | (Text::Escaped, _) => (depth, Text::Inside),
            (Text::Inside, b'"') => (depth, Text::Outside),
            (Text::Inside, b'\\') => (depth, Text::Escaped),
            _ => (depth, text),
        };
        Place::Object { depth, text }
    }

    /// Collects an object's bytes, up to just over the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (MAX_OBJECT + 1).saturating_sub(self.object.len());
        self.object
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_of_object(&mut self) -> Place {
        self.all += 1;
        let Ok(Named { name }) = json::object(&self.object) else {
            return Place::Broken;
        };
        if name.len() <= MAX_NAME && !name.contains(char::is_control) && (self.wanted)(&name) {
            self.found.insert(name);
        }
        Place::AfterObject
    }
}

impl Pieces for Names {
    fn begin(&mut self) {
        self.found.clear();
        (self.all, self.place) = (0, Place::Start);
    }

    fn take(&mut self, mut piece: &[u8]) {
        while let [byte, rest @ ..] = piece {
            self.place = self.next(*byte);
            piece = rest;
            if let Place::Object {
                text: Text::Inside, ..
            } = self.place
            {
                // Most of a list is strings, so skip them quickly.
                let end = rest
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b'\\'))
                    .unwrap_or(rest.len());
                self.keep(&rest[..end]);
                piece = &rest[end..];
            }
        }
    }
}

const NULL: &[u8] = b"null";
/// In bytes. This program reads no secrets with longer names.
pub(super) const MAX_NAME: usize = 255;
/// In bytes. No readable secret is larger; without its value, it has a few hundred bytes.
const MAX_OBJECT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Option<(usize, Vec<String>)> {
        let mut names = Names::of(|name| !name.starts_with("not"));
        pieces.into_iter().for_each(|piece| names.take(piece));
        names
            .finish()
            .map(|(all, found)| (all, found.into_iter().collect()))
    }

    #[test]
    fn the_names_are_the_same_however_the_list_is_cut_into_pieces() {
        let list = r#" [ {"name":"b","hosts":["]}",{"a":[]}]},{"id":"\"}\\","name":"\u0061\"","x":null} ,
            {"name":"not this"} ] "#;
        let expected = Some((3, vec!["a\"".to_owned(), "b".to_owned()]));
        for size in 1..=list.len() {
            assert_eq!(read(list.as_bytes().chunks(size)), expected, "{size}");
        }
        for empty in ["null", " null\n", "[]", "[ ]"] {
            assert_eq!(
                read(empty.as_bytes().chunks(1)),
                Some((0, Vec::new())),
                "{empty}"
            );
        }
    }

    #[test]
    fn what_is_not_a_whole_list_of_secrets_is_not_one() {
        let broken = [
            "",
            "nul",
            "nulll",
            "n ull",
            "[",
            "[{\"name\":\"a\"}",
            "[{\"name\":\"a\"},",
            "[{\"name\":\"a\"},]",
            "[,]",
            "[{\"name\":\"a\"}{\"name\":\"b\"}]",
            "[1]",
            "[null]",
            "[[]]",
            "{}",
            "{\"name\":\"a\"}",
            "[{}]",
            "[{]]",
            "[{\"name\":1}]",
            "[{\"Name\":\"a\"}]",
            "[{\"name\":\"a\",\"name\":\"b\"}]",
            "[] []",
            "<html>",
            "[{\"name}]",
            "[{\"name\":\"a\"}]x",
        ];
        for text in broken {
            assert_eq!(read([text.as_bytes()]), None, "{text}");
        }
    }

    #[test]
    fn unwanted_names_are_skipped_and_a_restart_forgets_what_was_read() {
        let long = "a".repeat(MAX_NAME);
        let list = format!(
            r#"[{{"name":"a\nb"}},{{"name":"{long}a"}},{{"name":"{long}"}},{{"name":"x","hosts":["{}"]}}]"#,
            "}".repeat(100_000)
        );
        assert_eq!(
            read([list.as_bytes()]),
            Some((4, vec![long, "x".to_owned()]))
        );
        let huge = format!(r#"[{{"name":"x","hosts":["{}"]}}]"#, "a".repeat(MAX_OBJECT));
        assert_eq!(read([huge.as_bytes()]), None);
        let mut names = Names::of(|_| true);
        names.take(b"[{\"name\":\"old\"},{\"na");
        names.begin();
        names.take(b"[{\"name\":\"new\"}]");
        assert_eq!(
            names.finish(),
            Some((1, BTreeSet::from(["new".to_owned()])))
        );
    }
}
