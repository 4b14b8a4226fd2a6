//! One object on one line, byte for byte as Go's `encoding/json` writes it.

use std::fmt::Write;

use zeroize::Zeroizing;

/// Appends `text` as Go's `encoding/json` writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped, so that what this
/// crate writes is byte for byte what Beta9 writes (<https://pkg.go.dev/encoding/json#Marshal>).
pub fn write_go_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    loop {
        // What needs no escape is copied as it is: a cloud's token is one such stretch of 2,600 bytes.
        let (plain, from) = rest.split_at(plain_length(rest.as_bytes()));
        out.push_str(plain);
        let mut chars = from.chars();
        let Some(c) = chars.next() else { break };
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c))
                    .expect("because writing to a String cannot fail");
            }
            _ => out.push(c),
        }
        rest = chars.as_str();
    }
    out.push('"');
}

/// How many bytes at the beginning stand for themselves, looked at sixteen at a time, as processors can.
fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |chunk: &&[u8; 16]| {
        !chunk
            .iter()
            .fold(false, |found, byte| found | may_need_escape(*byte))
    };
    let whole = bytes.as_chunks().0.iter().take_while(is_plain).count() * 16;
    bytes[whole..]
        .iter()
        .position(|byte| may_need_escape(*byte))
        .map_or(bytes.len(), |at| whole + at)
}

/// Whether a byte may not stand for itself; 0xE2 begins U+2028 and U+2029, among others. Without branches, as a `matches!`
/// would have them, sixteen of these are one comparison.
fn may_need_escape(byte: u8) -> bool {
    let is = |wanted| byte == wanted;
    (byte < 0x20) | is(b'"') | is(b'\\') | is(b'<') | is(b'>') | is(b'&') | is(0xe2)
}

/// Writes one object, member by member, in Go's way.
pub struct ObjectWriter {
    out: Zeroizing<String>,
}

impl ObjectWriter {
    /// An object whose text will have about this many bytes: what is secret should not have to move.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Zeroizing::new(String::with_capacity(bytes));
        out.push('{');
        Self { out }
    }

    /// A text member.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        write_go_string(&mut self.out, value);
        self
    }

    /// A text member, or `null`.
    pub fn optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.raw(name, &value.to_string())
    }

    /// A number with three decimals.
    pub fn decimal(&mut self, name: &str, value: f64) -> &mut Self {
        self.raw(name, &format!("{value:.3}"))
    }

    /// A member whose value is an object, or `null`.
    pub fn object(&mut self, name: &str, value: Option<ObjectWriter>) -> &mut Self {
        match value {
            Some(value) => self.raw(name, value.finish().trim_end()),
            None => self.raw(name, "null"),
        }
    }

    /// An array of objects.
    pub fn objects(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = ObjectWriter>,
    ) -> &mut Self {
        let values: Vec<_> = values
            .into_iter()
            .map(|value| value.finish().trim_end().to_owned())
            .collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// An array of texts.
    pub fn texts<'a>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> &mut Self {
        self.name(name);
        self.out.push('[');
        for (index, value) in values.into_iter().enumerate() {
            self.out.push_str(if index > 0 { "," } else { "" });
            write_go_string(&mut self.out, value);
        }
        self.out.push(']');
        self
    }

    /// An object within it, written in its place: what is secret in it is not copied.
    pub fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.raw(name, "{");
        write(self);
        self.out.push('}');
        self
    }

    /// The whole object on one line.
    #[must_use]
    pub fn finish(mut self) -> Zeroizing<String> {
        self.out.push_str("}\n");
        self.out
    }

    fn raw(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.out.push_str(value);
        self
    }

    fn name(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        write_go_string(&mut self.out, name);
        self.out.push(':');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_go_writes_them() {
        let mut out = String::new();
        write_go_string(
            &mut out,
            "<a>&\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}\u{2028}\u{2029}é☃",
        );
        assert_eq!(
            out,
            "\"\\u003ca\\u003e\\u0026\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}\\u2028\\u2029é☃\""
        );
    }
}
