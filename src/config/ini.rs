//! `Ini`: the format of the SDK's settings, as Python reads it
//! (<https://docs.python.org/3/library/configparser.html#supported-ini-file-structure>). What Python refuses, such as a
//! repeated key, is refused here too.

use zeroize::Zeroizing;

/// The sections of a file, in order, each with its keys and values.
pub(super) struct Ini<'t>(Vec<(&'t str, Lines)>);

/// Values are zeroed, because one may be a token.
type Lines = Vec<(String, Zeroizing<String>)>;

/// Why a file can't be parsed. The line is not quoted, because it may contain a token.
pub(super) struct Mistake {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) cause: &'static str,
}

impl<'t> Ini<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Mistake> {
        let mut sections: Vec<(&str, Lines)> = Vec::new();
        let (mut current, mut indent, mut goes_on) = (None, 0, false);
        for (number, line) in text.lines().enumerate() {
            let mistake = |cause| Mistake {
                line: number + 1,
                cause,
            };
            let depth = line.len() - line.trim_start().len();
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let lines = current.map(|current: usize| &mut sections[current].1);
            // A line that is indented further continues the value above it.
            if goes_on && depth > indent {
                if let Some((_, value)) = lines.and_then(|lines| lines.last_mut()) {
                    value.push('\n');
                    value.push_str(line);
                }
                continue;
            }
            indent = depth;
            if let Some(name) = header(line) {
                let known = sections.iter().position(|(known, _)| *known == name);
                if known.is_some() && name != INHERITED {
                    return Err(mistake("the section stands there twice"));
                }
                goes_on = false;
                current = known.or(Some(sections.len()));
                if known.is_none() {
                    sections.push((name, Lines::new()));
                }
                continue;
            }
            let lines = lines.ok_or_else(|| mistake("it stands before the first section"))?;
            let (key, value) = line
                .split_once(['=', ':'])
                .ok_or_else(|| mistake("it is neither a section nor a key and value"))?;
            let key = key.trim().to_lowercase();
            if key.is_empty() || lines.iter().any(|(known, _)| *known == key) {
                return Err(mistake(
                    "the key is missing, or stands in the section twice",
                ));
            }
            lines.push((key, value.trim().to_owned().into()));
            goes_on = true;
        }
        Ok(Self(sections))
    }

    /// Whether the section exists. `[DEFAULT]`, from which the others inherit, isn't a section.
    pub(super) fn has(&self, section: &str) -> bool {
        section != INHERITED && self.lines(section).is_some()
    }

    /// A section's own or inherited value; `None` if it is missing or empty.
    pub(super) fn value(&self, section: &str, key: &str) -> Result<Option<String>, &'static str> {
        let of = |section| {
            let mut lines = self.lines(section)?.iter();
            Some(&lines.find(|(known, _)| known == key)?.1)
        };
        // An empty value hides the inherited one.
        let Some(value) = of(section)
            .or_else(|| of(INHERITED))
            .filter(|value| !value.is_empty())
        else {
            return Ok(None);
        };
        let parts: Vec<&str> = value.split("%%").collect();
        if parts.iter().any(|part| part.contains('%')) {
            return Err("a value has a single percent sign, which Python would replace");
        }
        Ok(Some(parts.join("%")))
    }

    fn lines(&self, section: &str) -> Option<&Lines> {
        let (_, lines) = self.0.iter().find(|(name, _)| *name == section)?;
        Some(lines)
    }
}

/// The name between the first bracket and the last one.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.rsplit_once(']')?;
    (!name.is_empty()).then_some(name)
}

/// The section from which Python's others inherit missing keys. `[default]` is a different one.
const INHERITED: &str = "DEFAULT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_comments_and_inheritance_are_pythons() {
        let text = "# note\n[DEFAULT]\ntoken = inherited\napi_url: https://h.example\n\n[default]\nToken: d%%1\n\
                    [prod]\n  ; token = no\ntoken = p=:1\nempty =\n  goes\n  on\nlast = 1\n[bare]\n[hides]\ntoken =\nx = %(token)s\n[a]b]\n";
        let ini = Ini::parse(text).ok().unwrap();
        let value = |section, key| ini.value(section, key).map(Option::unwrap_or_default);
        assert_eq!(value("default", "token"), Ok("d%1".into()));
        assert_eq!(value("prod", "token"), Ok("p=:1".into()));
        assert_eq!(value("prod", "empty"), Ok("\ngoes\non".into()));
        assert_eq!(value("prod", "last"), Ok("1".into()));
        assert_eq!(value("prod", "api_url"), Ok("https://h.example".into()));
        assert_eq!(value("bare", "token"), Ok("inherited".into()));
        assert_eq!(value("hides", "token"), Ok(String::new()));
        assert!(value("hides", "x").unwrap_err().contains("percent sign"));
        let sections = [
            "default", "prod", "bare", "hides", "a]b", "DEFAULT", "Default", "PROD", "",
        ];
        assert_eq!(
            sections.map(|name| ini.has(name)),
            [true, true, true, true, true, false, false, false, false]
        );
    }

    #[test]
    fn what_python_refuses_is_refused_with_its_line() {
        let table = [
            ("token = t\n[default]\n", 1),
            ("[default]\ntoken = a\n\n[prod]\n[default]\n", 5),
            ("[default]\ntoken = a\nTOKEN: b\n", 3),
            ("[default]\ntoken\n", 2),
            ("[default]\n= t\n", 2),
            ("[]\n", 1),
        ];
        for (text, line) in table {
            assert_eq!(
                Ini::parse(text).err().map(|mistake| mistake.line),
                Some(line),
                "{text}"
            );
        }
        assert!(Ini::parse("[DEFAULT]\na = 1\n[default]\n[DEFAULT]\nb = 2\n").is_ok());
    }
}
