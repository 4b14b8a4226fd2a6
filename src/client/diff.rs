//! What a change does to a file, as a unified diff that shows no secret of the file.

use std::fmt::Write;
use std::path::Path;

use super::edit::JsonText;

/// The unified diff of two texts, with so many lines around each change; a file that is not there is `/dev/null`.
#[must_use]
pub fn unified(path: &Path, around: usize, old: Option<&str>, new: Option<&str>) -> String {
    let name = |text: Option<&str>| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| path.display().to_string())
    };
    let mut out = format!("--- {}\n+++ {}\n", name(old), name(new));
    let (old, new) = (
        lines(old.unwrap_or_default()),
        lines(new.unwrap_or_default()),
    );
    let steps = steps(&old, &new);
    let mut at = 0;
    while let Some(first) = (at..steps.len()).find(|index| !steps[*index].is_same()) {
        let mut last = first;
        while let Some(next) = (last + 1..steps.len().min(last + 2 * around + 2))
            .find(|index| !steps[*index].is_same())
        {
            last = next;
        }
        let (from, to) = (
            first.saturating_sub(around).max(at),
            (last + around + 1).min(steps.len()),
        );
        hunk(&mut out, &steps, from, to);
        at = to;
    }
    out
}

fn hunk(out: &mut String, steps: &[Step], from: usize, to: usize) {
    let count = |steps: &[Step], mark| {
        steps
            .iter()
            .filter(|step| step.mark == ' ' || step.mark == mark)
            .count()
    };
    let range = |mark| {
        let (before, length) = (count(&steps[..from], mark), count(&steps[from..to], mark));
        format!("{},{length}", if length == 0 { before } else { before + 1 })
    };
    writeln!(out, "@@ -{} +{} @@", range('-'), range('+'))
        .expect("because writing to a String cannot fail");
    for step in &steps[from..to] {
        out.push(step.mark);
        for char in step
            .line
            .trim_end_matches('\n')
            .trim_end_matches('\r')
            .chars()
        {
            // The file may hold what moves a terminal's cursor.
            if char.is_control() && char != '\t' {
                out.extend(char.escape_debug());
            } else {
                out.push(char);
            }
        }
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
    let head = old
        .iter()
        .zip(new)
        .take_while(|(old, new)| old == new)
        .count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let middle = common(
        &old_rest[..old_rest.len() - tail],
        &new_rest[..new_rest.len() - tail],
    );
    let same = |line: &&'a str| Step { mark: ' ', line };
    old[..head]
        .iter()
        .map(same)
        .chain(middle)
        .chain(old[old.len() - tail..].iter().map(same))
        .collect()
}

/// The shortest way from one to the other by the longest common subsequence, where that is cheap.
fn common<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    let step = |mark| move |line: &&'a str| Step { mark, line };
    if old.len() * new.len() > MAX_TABLE {
        return old
            .iter()
            .map(step('-'))
            .chain(new.iter().map(step('+')))
            .collect();
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
            all.push(Step {
                mark: ' ',
                line: old[i],
            });
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            all.push(Step {
                mark: '-',
                line: old[i],
            });
            i += 1;
        } else {
            all.push(Step {
                mark: '+',
                line: new[j],
            });
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

/// What holds no secret in docker's and podman's files.
const SHOWN: [&str; 3] = ["credsStore", "credHelpers", "currentContext"];
/// As many as `diff -u` and git print.
pub const AROUND: usize = 3;
const MAX_TABLE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_what_patch_and_git_print() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        let new = old
            .replace("2\n3\n", "2\nx\n3\n")
            .replace("14\n", "")
            .replace("15\n", "15");
        let expected = "--- /f\n+++ /f\n@@ -1,5 +1,6 @@\n 1\n 2\n+x\n 3\n 4\n 5\n@@ -11,5 +12,4 @@\n 11\n 12\n 13\n-14\n-15\n+15\n\
                        \\ No newline at end of file\n";
        assert_eq!(
            unified(Path::new("/f"), AROUND, Some(old), Some(&new)),
            expected
        );
        assert_eq!(
            unified(Path::new("/f"), AROUND, None, Some("a\n")),
            "--- /dev/null\n+++ /f\n@@ -0,0 +1,1 @@\n+a\n"
        );
    }

    #[test]
    fn what_moves_a_cursor_is_escaped() {
        let shown = unified(Path::new("/f"), 0, Some("a\tb\u{1b}[2K\rc\u{9b}\r\n"), None);
        assert_eq!(
            shown,
            "--- /f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\tb\\u{1b}[2K\\rc\\u{9b}\n"
        );
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        let text = r#"{"auths": {"ghcr.io": {"auth": "hunter2"}}, "HttpHeaders": {"X": ["hunter2"]}, "credHelpers": {"a": "pass"}, "n": 1}"#;
        let expected = r#"{"auths": {"ghcr.io": {"auth": "****"}}, "HttpHeaders": {"X": ["****"]}, "credHelpers": {"a": "pass"}, "n": 1}"#;
        assert_eq!(masked(text), expected);
    }
}
