//! Where each member of a JSON text stands, so that one can be changed without writing the others anew.

use std::ops::Range;

/// A value and where it is.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    /// The members, if it is an object.
    pub(super) members: Option<Vec<Member>>,
    /// Its elements, if it is an array.
    pub(super) elements: Vec<Node>,
}

impl Node {
    /// Calls `see` with the place of every text in it, keys excepted.
    pub(super) fn texts(&self, text: &str, see: &mut dyn FnMut(Range<usize>)) {
        if text[self.span.clone()].starts_with('"') {
            see(self.span.clone());
        }
        self.elements
            .iter()
            .chain(self.members.iter().flatten().map(|member| &member.value))
            .for_each(|node| node.texts(text, see));
    }

    /// As `texts`, but for what objects have under the keys in `shown`, at any depth.
    pub(super) fn texts_but(&self, shown: &[&str], text: &str, see: &mut dyn FnMut(Range<usize>)) {
        self.elements
            .iter()
            .for_each(|node| node.texts_but(shown, text, see));
        for Member { key, value, .. } in self.members.iter().flatten() {
            if shown.contains(&key.as_str()) {
                value.texts_but(shown, text, see);
            } else {
                value.texts(text, see);
            }
        }
    }
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    /// Its key, without escapes.
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node,
}

/// The layout of a text that is known to be one well-formed JSON document.
pub(super) fn layout(text: &str) -> Option<Node> {
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
    };
    scanner.blank();
    scanner.value()
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Option<Node> {
        let start = self.at;
        let (mut members, mut elements) = (None, Vec::new());
        match self.peek()? {
            b'{' => members = Some(self.object()?),
            b'[' => elements = self.array()?,
            b'"' => _ = self.text()?,
            _ => {
                while !matches!(
                    self.peek(),
                    None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n')
                ) {
                    self.at += 1;
                }
            }
        }
        Some(Node {
            span: start..self.at,
            members,
            elements,
        })
    }

    fn object(&mut self) -> Option<Vec<Member>> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            self.blank();
            match self.peek()? {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key_span = self.text()?;
                    let key = serde_json::from_slice(&self.text[key_span.clone()]).ok()?;
                    self.blank();
                    self.at += 1;
                    self.blank();
                    members.push(Member {
                        key,
                        key_span,
                        value: self.value()?,
                    });
                }
            }
        }
        self.at += 1;
        Some(members)
    }

    fn array(&mut self) -> Option<Vec<Node>> {
        let mut elements = Vec::new();
        self.at += 1;
        loop {
            self.blank();
            match self.peek()? {
                b']' => break,
                b',' => self.at += 1,
                _ => elements.push(self.value()?),
            }
        }
        self.at += 1;
        Some(elements)
    }

    fn text(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(start..self.at)
    }
}
