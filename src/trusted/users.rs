//! Users and groups of this machine.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{CWD, FileType, Mode, fstat, openat};

use super::FILE;

/// The effective user id.
pub(super) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The uid that root's files show in a user namespace without the host's root, such as rootless podman's
/// (<https://man7.org/linux/man-pages/man7/user_namespaces.7.html>); `None` elsewhere.
pub(super) fn unmapped_root() -> Option<u32> {
    static UNMAPPED: OnceLock<Option<u32>> = OnceLock::new();
    *UNMAPPED.get_or_init(|| {
        let map = system_file(Path::new("/proc/self/uid_map"))?;
        if maps_root(&map)? {
            return None;
        }
        let overflow = system_file(Path::new("/proc/sys/kernel/overflowuid"));
        Some(
            overflow
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(OVERFLOW),
        )
    })
}

/// Whether a range of the map begins with uid 0 outside. Each line has the first uid inside, the first outside, and the
/// number. `None` if the text isn't such a map.
fn maps_root(map: &str) -> Option<bool> {
    let mut outside = map
        .lines()
        .map(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok());
    let all: Option<Vec<u32>> = outside.by_ref().collect();
    all.filter(|all| !all.is_empty())
        .map(|all| all.contains(&0))
}

/// Whether only this user is in this group, as on systems where each user has a group with the same id.
pub(super) fn is_private_group(owner: u32, group: u32) -> bool {
    owner == group
        && unmapped_root() != Some(owner)
        && system_file(Path::new(PASSWD))
            .zip(system_file(Path::new("/etc/group")))
            .is_some_and(|(accounts, groups)| is_private(owner, &accounts, &groups))
}

fn is_private(id: u32, accounts: &str, groups: &str) -> bool {
    let id = id.to_string();
    let mut names = Vec::new();
    for account in accounts.lines().filter_map(Account::parse) {
        if account.uid == id {
            names.push(account.name);
        } else if account.gid == id {
            return false;
        }
    }
    let of_group = groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mut members = of_group.filter(|group| group.get(2) == Some(&id.as_str()));
    members.all(|group| {
        let members = group.get(3).copied().unwrap_or_default();
        members
            .split(',')
            .map(str::trim)
            .all(|member| member.is_empty() || names.contains(&member))
    })
}

/// The home directory of this process's account, if it has one (<https://man7.org/linux/man-pages/man5/passwd.5.html>).
pub fn account_home() -> Option<PathBuf> {
    let (accounts, me) = (system_file(Path::new(PASSWD))?, me().to_string());
    let account = accounts
        .lines()
        .filter_map(Account::parse)
        .find(|account| account.uid == me)?;
    Some(PathBuf::from(account.home)).filter(|home| home.is_absolute())
}

/// The home directories of all accounts of this machine.
pub fn homes() -> Vec<PathBuf> {
    let accounts = system_file(Path::new(PASSWD)).unwrap_or_default();
    let homes = accounts.lines().filter_map(Account::parse);
    let homes = homes.map(|account| PathBuf::from(account.home));
    homes
        .filter(|home| home.is_absolute() && home.parent().is_some())
        .collect()
}

struct Account<'a> {
    name: &'a str,
    uid: &'a str,
    gid: &'a str,
    home: &'a str,
}

impl<'a> Account<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, uid, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            name,
            uid,
            gid,
            home,
        })
    }
}

/// Reads a file of the kernel or the system that the checks themselves need, unchecked: whoever can change it does not
/// need to.
fn system_file(path: &Path) -> Option<String> {
    let file = openat(
        CWD,
        path,
        FILE.difference(rustix::fs::OFlags::NOFOLLOW),
        Mode::empty(),
    )
    .ok()?;
    let stat = fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_mode & 0o002 != 0 {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file)
        .take(MAX_FILE)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

const PASSWD: &str = "/etc/passwd";
const OVERFLOW: u32 = 65534;
/// In bytes; enough for some hundred thousand accounts.
const MAX_FILE: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_where_nobody_else_is_in_it() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:\ncarol:x:1002:1003::/c:\n";
        let table = [
            (1000, "alice:x:1000:\n", true),
            (1000, "alice:x:1000:alice\n", true),
            (1000, "", true),
            (1000, "alice:x:1000:bob\n", false),
            (1000, "alice:x:1000:alice,bob\n", false),
            (1000, "alice:x:1000:\nalso:x:1000:bob\n", false),
            (1000, "ab:x:10000:bob\n", true),
            (1003, "carol:x:1003:\n", false),
            (12345, "made-up:x:12345:alice\n", false),
            (12345, "", true),
        ];
        for (id, groups, private) in table {
            assert_eq!(is_private(id, accounts, groups), private, "{id} {groups}");
        }
    }

    #[test]
    fn root_is_mapped_where_a_range_begins_with_it() {
        assert_eq!(maps_root("         0          0 4294967295\n"), Some(true));
        assert_eq!(maps_root("0 1000 1\n1 100000 65536\n"), Some(false));
        assert_eq!(maps_root("0 1000 1\n1000 0 1\n"), Some(true));
        assert_eq!((maps_root(""), maps_root("nonsense")), (None, None));
    }
}
