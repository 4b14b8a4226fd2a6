//! The mirror in a containerd's `hosts.toml` (<https://github.com/containerd/containerd/blob/main/docs/hosts.md>): its
//! table goes before all others, because containerd asks hosts in the order of the file. Everything else is kept.

use std::path::Path;

use toml::{Table, Value};

use super::FORM;

/// Puts the mirror's table before all others. A new file also gets the `server`, if one is given.
pub fn add_mirror(
    old: &str,
    server: Option<&str>,
    url: &str,
    dir: &Path,
) -> Result<String, String> {
    let before = parse(old)?;
    let block = block(url, dir);
    let ours: Vec<&str> = mirrors(&before).collect();
    if ours == [url] && old.contains(&block) && first_host(old) == old.find(&header(url)) {
        return Ok(old.to_owned());
    }
    let mut rest = remove_mirror(old)?.unwrap_or_else(|| old.to_owned());
    if rest.trim().is_empty() {
        rest = server.map_or(String::new(), |server| {
            format!("server = {}\n\n", quoted(server))
        });
    }
    let mut at = first_host(&rest).unwrap_or(rest.len());
    // A comment above a table belongs to it.
    while let Some(line) = rest[..at].split_inclusive('\n').next_back()
        && line.trim_start().starts_with('#')
        && at < rest.len()
    {
        at -= line.len();
    }
    let (head, tail) = rest.split_at(at);
    // Hosts in another form than tables would come before the mirror.
    if !parse(head).is_ok_and(|head| !head.contains_key("host")) {
        return Err(FORM.into());
    }
    let is_cut = !head.is_empty() && !head.ends_with('\n');
    let [between, after] = [is_cut, !tail.is_empty()].map(|is| if is { "\n" } else { "" });
    let new = format!("{head}{between}{block}{after}{tail}");
    let mut now = parse(&new)?;
    let is_first = first_host(&new) == new.find(&header(url));
    if !is_first || mirrors(&now).ne([url]) || !is_same(parse(&rest)?, &mut now) {
        return Err(FORM.into());
    }
    Ok(new)
}

/// Removes the mirror's tables; `None` if there is none.
pub fn remove_mirror(old: &str) -> Result<Option<String>, String> {
    let before = parse(old)?;
    let ours: Vec<String> = mirrors(&before).map(str::to_owned).collect();
    if ours.is_empty() {
        return Ok(None);
    }
    let mut new = old.to_owned();
    for url in &ours {
        let header = header(url);
        let at = new.find(&header).ok_or(FORM)?;
        let start = new[..at].strip_suffix(MARK).map_or(at, str::len);
        let lines = new[at + header.len()..].split_inclusive('\n');
        let mut own = lines.take_while(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('[')
        });
        let own: usize = own.by_ref().map(str::len).sum();
        let mut end = at + header.len() + own;
        if new[end..].starts_with('\n') {
            end += 1;
        }
        new.replace_range(start..end, "");
    }
    let mut had = before;
    if mirrors(&parse(&new)?).next().is_some() || !is_same(parse(&new)?, &mut had) {
        return Err(FORM.into());
    }
    Ok(Some(new))
}

/// Whether a file only names the registry itself.
#[must_use]
pub fn is_bare(text: &str) -> bool {
    parse(text).is_ok_and(|table| table.keys().all(|key| key == "server"))
}

/// The text with headers and URLs masked, which may contain credentials.
#[must_use]
pub fn masked_hosts(text: &str) -> String {
    let mut in_headers = false;
    let mut mask = |line: &str| {
        let is_table = line.trim_start().starts_with('[');
        if is_table {
            in_headers = line.contains("header");
            return line.to_owned();
        }
        let is_secret = in_headers || line.contains("header") || line.contains('@');
        if !is_secret || line.trim().is_empty() {
            return line.to_owned();
        }
        line.split_once('=')
            .map_or("****".to_owned(), |(key, _)| format!("{key}= ****"))
    };
    text.lines().map(|line| mask(line) + "\n").collect()
}

/// Whether both are equal apart from the mirror's tables.
fn is_same(mut without: Table, with: &mut Table) -> bool {
    let ours: Vec<String> = mirrors(with).map(str::to_owned).collect();
    for table in [&mut without, with] {
        let empty = match table.get_mut(HOST) {
            Some(Value::Table(hosts)) => {
                hosts.retain(|url, _| ours.iter().all(|own| own != url));
                hosts.is_empty()
            }
            _ => false,
        };
        if empty {
            table.remove(HOST);
        }
    }
    without == *with
}

/// The URLs of tables of this helper's mirror: on loopback, with certificates that `configure` makes.
fn mirrors(table: &Table) -> impl Iterator<Item = &str> {
    let hosts = table.get(HOST).and_then(Value::as_table);
    hosts.into_iter().flatten().filter_map(|(url, host)| {
        let dir = host.get("ca")?.as_str()?.strip_suffix("/ca.crt")?;
        let is_own = url.starts_with("https://127.0.0.1:")
            && host.get("client") == Some(&client(Path::new(dir)));
        is_own.then_some(url.as_str())
    })
}

fn client(dir: &Path) -> Value {
    let path = |name| Value::String(dir.join(name).display().to_string());
    Value::Array(vec![Value::Array(vec![
        path("client.crt"),
        path("client.key"),
    ])])
}

fn block(url: &str, dir: &Path) -> String {
    let path = |name| quoted(&dir.join(name).display().to_string());
    format!(
        "{MARK}{}  capabilities = [\"pull\", \"resolve\"]\n  dial_timeout = \"2s\"\n  ca = {}\n  client = [[{}, {}]]\n",
        header(url),
        path("ca.crt"),
        path("client.crt"),
        path("client.key"),
    )
}

fn header(url: &str) -> String {
    format!("[host.\"{url}\"]\n")
}

/// The position of the first host's table.
fn first_host(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let name = line.trim_start().strip_prefix('[').map(str::trim_start);
        if name.is_some_and(|name| {
            ["host", "\"host\"", "'host'"]
                .iter()
                .any(|key| name.starts_with(key))
        }) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn parse(text: &str) -> Result<Table, String> {
    text.parse().map_err(|_| "it is not TOML".to_owned())
}

const HOST: &str = "host";
const MARK: &str = "# docker-credential-beta9: its mirror knows the node's credentials.\n";

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://127.0.0.1:9185";

    fn add(old: &str) -> Result<String, String> {
        let server = Some("https://ghcr.io");
        add_mirror(old, server, URL, Path::new("/etc/beta9/mirror"))
    }

    #[test]
    fn a_new_file_names_the_registry_and_the_mirror() {
        let new = add("").unwrap();
        assert_eq!(
            new,
            "server = \"https://ghcr.io\"\n\n# docker-credential-beta9: its mirror knows the node's credentials.\n\
             [host.\"https://127.0.0.1:9185\"]\n  capabilities = [\"pull\", \"resolve\"]\n  dial_timeout = \"2s\"\n  \
             ca = \"/etc/beta9/mirror/ca.crt\"\n  client = [[\"/etc/beta9/mirror/client.crt\", \"/etc/beta9/mirror/client.key\"]]\n"
        );
        assert_eq!(add(&new).unwrap(), new, "twice is once");
        assert!(is_bare(&remove_mirror(&new).unwrap().unwrap()));
    }

    #[test]
    fn the_mirror_goes_before_all_others_and_what_is_there_stays() {
        for old in [
            "server = \"https://r.example\"\n",
            "# mine\nserver = \"https://r.example\" # too\n\n# a cache\n[host.\"https://cache.example\"]\n  capabilities = [\"pull\"]\n",
            "[host.\"https://cache.example\".header]\n  authorization = \"Basic c2VjcmV0\"\n",
            "[ host . \"https://cache.example\" ]\nskip_verify = true",
            "[host]\n[host.\"https://127.0.0.1:5000\"]\nca = \"/x/ca.crt\"\n",
        ] {
            let new = add(old).unwrap();
            let hosts: Vec<_> = new
                .match_indices("[host")
                .chain(new.match_indices("[ host"))
                .collect();
            let first = hosts.iter().map(|(at, _)| at).min().unwrap();
            assert!(new[*first..].starts_with(&header(URL)), "{new}");
            let undone = remove_mirror(&new).unwrap().unwrap();
            assert_eq!(undone.trim_end(), old.trim_end());
            assert_eq!(parse(&undone), parse(old));
        }
    }

    #[test]
    fn another_port_takes_the_place_of_the_first() {
        let first = add("").unwrap();
        let dir = Path::new("/etc/beta9/mirror");
        let second = add_mirror(&first, None, "https://127.0.0.1:7", dir).unwrap();
        assert_eq!(second, first.replace("9185", "7"));
    }

    #[test]
    fn what_cannot_be_changed_safely_is_left_alone() {
        for old in [
            "host = { \"https://c.example\" = {} }\n",
            "[host",
            "x = \"\"\"\n[host.\n\"\"\"\n[host.\"https://c\"]\n",
        ] {
            assert!(add(old).is_err(), "{old}");
        }
    }

    #[test]
    fn no_header_and_no_password_of_a_url_is_shown() {
        let text = "server = \"https://u:pw@r.example\"\n[host.\"https://c\".header]\n  authorization = [\n\"Basic c2VjcmV0\"]\n# old = \"Basic c2VjcmV0\"\n[host.\"https://d\"]\n  header = { x = \"c2VjcmV0\" }\n  ca = \"/x\"\n";
        let shown = masked_hosts(text);
        assert!(
            !shown.contains("c2VjcmV0") && !shown.contains("pw") && shown.contains("ca = \"/x\""),
            "{shown}"
        );
    }
}
