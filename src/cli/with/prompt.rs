//! Removes ctr's password prompt from its output, and passes everything else on.

/// Removes the first prompt from a stream, and the line end that ctr writes after reading the password.
#[derive(Default)]
pub(super) struct Prompt {
    state: State,
    /// Bytes that may be the start of the prompt.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Looking,
    LineEnd,
    Gone,
}

impl Prompt {
    /// The bytes to pass on, out of these and those held so far.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self.state {
            State::Gone => bytes.to_vec(),
            State::LineEnd if bytes.is_empty() => Vec::new(),
            State::LineEnd => {
                self.state = State::Gone;
                bytes.strip_prefix(b"\n").unwrap_or(bytes).to_vec()
            }
            State::Looking => {
                self.held.extend_from_slice(bytes);
                let found = self.held.windows(PROMPT.len()).position(|at| at == PROMPT);
                let Some(at) = found else {
                    let partial = (0..PROMPT.len())
                        .rev()
                        .find(|length| self.held.ends_with(&PROMPT[..*length]));
                    let kept = self.held.len() - partial.unwrap_or(0);
                    return self.held.drain(..kept).collect();
                };
                self.state = State::LineEnd;
                let rest = self.held.split_off(at + PROMPT.len());
                self.held.truncate(at);
                let mut passed = std::mem::take(&mut self.held);
                passed.extend(self.pass(&rest));
                passed
            }
        }
    }

    /// The held bytes, at the end of the stream.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

const PROMPT: &[u8] = b"Password: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(chunks: &[&str]) -> String {
        let mut prompt = Prompt::default();
        let mut all = Vec::new();
        for chunk in chunks {
            all.extend(prompt.pass(chunk.as_bytes()));
        }
        all.extend(prompt.rest());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_prompt_and_its_line_end_go_and_every_other_byte_stays() {
        let table: [(&[&str], &str); 8] = [
            (&["Password: \nok\n"], "ok\n"),
            (&["warn\nPass", "word: ", "\n", "\nok"], "warn\n\nok"),
            (&["Password: ", "ok"], "ok"),
            (&["Password: \nPassword: \n"], "Password: \n"),
            (&["Passport\n", "Password"], "Passport\nPassword"),
            (&["PPassword: \nx"], "Px"),
            (&["", "Pass", "", "word:\n"], "Password:\n"),
            (&["no containerd\n"], "no containerd\n"),
        ];
        for (chunks, expected) in table {
            assert_eq!(passed(chunks), expected, "{chunks:?}");
        }
    }
}
