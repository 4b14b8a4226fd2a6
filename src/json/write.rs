//! JSON on one line, byte for byte as Go's `encoding/json` writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use zeroize::Zeroizing;

/// A value's text.
pub fn text<T: Serialize + ?Sized>(value: &T) -> Zeroizing<String> {
    write(value, "")
}

/// A value's text and a line end.
pub fn line<T: Serialize + ?Sized>(value: &T) -> Zeroizing<String> {
    write(value, "\n")
}

fn write<T: Serialize + ?Sized>(value: &T, end: &str) -> Zeroizing<String> {
    let mut out = Buffer(Zeroizing::new(Vec::with_capacity(ROOM)));
    value
        .serialize(&mut Serializer::with_formatter(&mut out, Go))
        .expect("because the buffer takes everything, and every key here is a text");
    out.extend(end.as_bytes());
    let bytes = std::mem::take(&mut *out.0);
    Zeroizing::new(String::from_utf8(bytes).expect("because serde_json writes texts as they are"))
}

/// A buffer that leaves no copies of secrets behind when it grows.
struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity((2 * self.0.len()).max(needed + ROOM));
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(bytes);
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Go's escapes in addition to JSON's own (<https://pkg.go.dev/encoding/json#Marshal>). Fractional numbers, which are
/// milliseconds here, get three decimals.
struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Almost no text has one of them, and 0xE2 begins the last two. Without an early end, the loop is one of vectors.
        let suspicious = fragment.bytes().fold(false, |found, byte| {
            found | matches!(byte, b'<' | b'>' | b'&' | 0xe2)
        });
        if !suspicious {
            return out.write_all(fragment.as_bytes());
        }
        for part in fragment.split_inclusive(ESCAPED) {
            let plain = part.trim_end_matches(ESCAPED);
            out.write_all(plain.as_bytes())?;
            if let Some(c) = part[plain.len()..].chars().next() {
                write!(out, "\\u{:04x}", u32::from(c))?;
            }
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        write!(out, "{value:.3}")
    }
}

const ESCAPED: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];
/// In bytes; enough for most answers.
const ROOM: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_go_writes_them() {
        assert_eq!(
            *text("<a>&\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}\u{2028}\u{2029}é☃"),
            "\"\\u003ca\\u003e\\u0026\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}\\u2028\\u2029é☃\""
        );
    }

    #[test]
    fn a_text_of_any_length_is_whole_and_a_line_ends_with_its_end() {
        for length in [0, 1, ROOM - 3, ROOM - 2, ROOM - 1, ROOM, 10 * ROOM] {
            let long = "x".repeat(length);
            assert_eq!(*text(&long), format!("\"{long}\""));
            assert_eq!(*line(&[&long, "<"]), format!("[\"{long}\",\"\\u003c\"]\n"));
        }
        assert_eq!(*line(&1234.5678), "1234.568\n");
    }
}
