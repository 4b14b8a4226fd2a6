//! Shows a change to a file as a unified diff without secrets.

use std::path::Path;

use similar::TextDiff;

use super::edit::laid_out;
use crate::shown::without_logins;

/// The unified diff of two texts; a missing file is `/dev/null`.
pub fn unified(path: &Path, [old, new]: [Option<&str>; 2]) -> String {
    let name = |text: Option<&str>| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| path.display().to_string())
    };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let text = diff
        .unified_diff()
        .header(&name(old), &name(new))
        .to_string();
    let mut out = String::with_capacity(text.len());
    for line in without_logins(&text).lines() {
        for char in line.chars() {
            // The file may contain characters that move a terminal's cursor.
            if char.is_control() && char != '\t' {
                out.extend(char.escape_debug());
            } else {
                out.push(char);
            }
        }
        out.push('\n');
    }
    out
}

/// A client's JSON with every string hidden that may be a secret: all except the names of helpers.
pub fn masked(text: &str) -> String {
    let shown = |path: &[String]| {
        let first = path.first().map_or("", String::as_str);
        SHOWN.iter().any(|name| name.eq_ignore_ascii_case(first))
    };
    laid_out(text, &shown).unwrap_or_default().to_string()
}

/// The members of docker's and podman's files without secrets.
const SHOWN: [&str; 3] = ["credsStore", "credHelpers", "currentContext"];

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
        assert_eq!(unified(Path::new("/f"), [Some(old), Some(&new)]), expected);
        assert!(
            unified(Path::new("/f"), [None, Some("a\n")])
                .starts_with("--- /dev/null\n+++ /f\n@@ -0,0 +1")
        );
    }

    #[test]
    fn what_moves_a_cursor_is_escaped() {
        let shown = unified(Path::new("/f"), [Some("a\tb\u{1b}[2K\u{9b}c\n"), None]);
        assert!(shown.ends_with("-a\tb\\u{1b}[2K\\u{9b}c\n"), "{shown}");
        let shown = unified(Path::new("/f"), [Some("a\rb\n"), None]);
        assert!(!shown.contains('\r'), "{shown}");
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        let key = "\"https://u:hunter2@h\": \"pass\"\n";
        let shown = unified(Path::new("/f"), [None, Some(key)]);
        assert!(
            shown.ends_with("+\"https://****@h\": \"pass\"\n"),
            "{shown}"
        );
        let text = r#"{"auths": {"ghcr.io": {"auth": "hunt\"er2"}}, "HttpHeaders": {"X": ["hunter2"]}, "credHelpers": {"a": "pass"}, "n": 1}"#;
        let expected = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"****\"\n\t\t}\n\t},\n\t\"HttpHeaders\": {\n\t\t\"X\": [\n\
                        \t\t\t\"****\"\n\t\t]\n\t},\n\t\"credHelpers\": {\n\t\t\"a\": \"pass\"\n\t},\n\t\"n\": 1\n}";
        assert_eq!(masked(text), expected);
    }
}
