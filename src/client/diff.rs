//! What a change does to a file, as a unified diff that shows no secret of the file.

use std::fmt::Write;
use std::path::Path;

use super::edit::JsonText;

/// The unified diff of two texts, with three lines around each change; a file that is not there is `/dev/null`.
#[must_use]
pub fn unified(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let name = |text: Option<&str>| text.map_or_else(|| "/dev/null".to_owned(), |_| path.display().to_string());
    let mut out = format!("--- {}\n+++ {}\n", name(old), name(new));
    let (old, new) = (lines(old.unwrap_or_default()), lines(new.unwrap_or_default()));
    let steps = steps(&old, &new);
    let mut at = 0;
    while let Some(first) = (at..steps.len()).find(|index| !steps[*index].is_same()) {
        let mut last = first;
        while let Some(next) = (last + 1..steps.len().min(last + 2 * AROUND + 2)).find(|index| !steps[*index].is_same())
        {
            last = next;
        }
        let (from, to) = (first.saturating_sub(AROUND).max(at), (last + AROUND + 1).min(steps.len()));
        hunk(&mut out, &steps, from, to);
        at = to;
    }
    out
}

fn hunk(out: &mut String, steps: &[Step], from: usize, to: usize) {
    let count = |steps: &[Step], mark| steps.iter().filter(|step| step.mark == ' ' || step.mark == mark).count();
    let range = |mark| {
        let (before, length) = (count(&steps[..from], mark), count(&steps[from..to], mark));
        format!("{},{length}", if length == 0 { before } else { before + 1 })
    };
    writeln!(out, "@@ -{} +{} @@", range('-'), range('+')).expect("because writing to a String cannot fail");
    for step in &steps[from..to] {
        out.push(step.mark);
        out.push_str(step.line.trim_end_matches('\n').trim_end_matches('\r'));
        out.push('\n');
        if !step.line.ends_with('\n') {
            out.push_str("\\ No newline at end of file\n");
        }
    }
}

/// A line that stays, goes or comes.
struct Step<'a> {
    mark: char,
    line: &'a str,
}

impl Step<'_> {
    fn is_same(&self) -> bool {
        self.mark == ' '
    }
}

/// The lines between what both begin and end with are all replaced: a change here is one place or a few close to each other.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let middle = common(&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let same = |line: &&'a str| Step { mark: ' ', line };
    old[..head].iter().map(same).chain(middle).chain(old[old.len() - tail..].iter().map(same)).collect()
}

/// The shortest way from one to the other by the longest common subsequence, where that is cheap.
fn common<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    let step = |mark| move |line: &&'a str| Step { mark, line };
    if old.len() * new.len() > MAX_TABLE {
        return old.iter().map(step('-')).chain(new.iter().map(step('+'))).collect();
    }
    let width = new.len() + 1;
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            longest[i * width + j] = if a == b {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            all.push(Step { mark: ' ', line: old[i] });
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            all.push(Step { mark: '-', line: old[i] });
            i += 1;
        } else {
            all.push(Step { mark: '+', line: new[j] });
            j += 1;
        }
    }
    all
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A client's JSON with every text hidden that may be a secret: all but what says which helper is asked.
#[must_use]
pub fn masked(text: &str) -> String {
    JsonText::new(text).masked(&SHOWN)
}

/// A kubelet's configuration with the values hidden that its providers get in their environment.
#[must_use]
pub fn without_values(text: &str) -> String {
    text.split_inclusive('\n').map(without_value).collect()
}

/// The rest of a line behind each key `value`, quoted as JSON does or plain as YAML allows.
fn without_value(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(at) = rest.find("value") {
        let (before, behind) = rest.split_at(at + "value".len());
        out.push_str(before);
        rest = behind;
        let Some(value) = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix(':') else { continue };
        // Up to the next entry of a list in one line, or to the end of the line.
        let end = value.find(['}', '\n', '\r']).unwrap_or(value.len());
        out.push_str(&rest[..rest.len() - value.len()]);
        out.push_str(" ****");
        rest = &value[end..];
    }
    out + rest
}

/// What holds no secret in docker's and podman's files.
const SHOWN: [&str; 3] = ["credsStore", "credHelpers", "currentContext"];
const AROUND: usize = 3;
const MAX_TABLE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_what_patch_and_git_print() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        let new = old.replace("2\n3\n", "2\nx\n3\n").replace("14\n", "").replace("15\n", "15");
        let expected = "--- /f\n+++ /f\n@@ -1,5 +1,6 @@\n 1\n 2\n+x\n 3\n 4\n 5\n@@ -11,5 +12,4 @@\n 11\n 12\n 13\n-14\n-15\n+15\n\
                        \\ No newline at end of file\n";
        assert_eq!(unified(Path::new("/f"), Some(old), Some(&new)), expected);
        assert_eq!(unified(Path::new("/f"), None, Some("a\n")), "--- /dev/null\n+++ /f\n@@ -0,0 +1,1 @@\n+a\n");
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        let text = r#"{"auths": {"ghcr.io": {"auth": "hunter2"}}, "HttpHeaders": {"X": ["hunter2"]}, "credHelpers": {"a": "pass"}, "n": 1}"#;
        let expected = r#"{"auths": {"ghcr.io": {"auth": "****"}}, "HttpHeaders": {"X": ["****"]}, "credHelpers": {"a": "pass"}, "n": 1}"#;
        assert_eq!(masked(text), expected);
        let yaml = "  - name: x\n    env:\n      - name: TOKEN\n        value: hunter2\n      - {name: A, \"value\": hunter2}\n";
        assert_eq!(without_values(yaml), yaml.replace(" hunter2", " ****"));
        let json = r#"{"env":[{"name":"A","value":"hunter2"},{"name":"B","value":"hunter2"}],"args":["values"]}"#;
        assert_eq!(without_values(json), json.replace("\"hunter2\"", " ****"));
    }
}
