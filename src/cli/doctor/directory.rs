//! Checks a directory or a file of this program's: where it is, whose it is, and its free space.

use std::fmt::Display;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, statvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::access::may;
use super::finding::{Finding, State, word};
use crate::client::PROGRAM;
use crate::trusted::{self, FileError, is_absent};

/// A directory or a file, and how bad its faults are.
pub(super) struct Place<'a> {
    /// `the store /path`
    pub(super) shown: String,
    path: &'a Path,
    pub(super) state: State,
}

impl<'a> Place<'a> {
    pub(super) fn new(what: &str, path: &'a Path, state: State) -> Self {
        let shown = format!("the {what} {}", path.display());
        Self { shown, path, state }
    }

    /// A finding about a fault of it.
    fn finding(&self, code: &'static str, what: impl Display) -> Finding {
        Finding::new(code, self.state, format_args!("{} {what}", self.shown))
    }

    /// Checks a directory.
    pub(super) fn directory(&self) -> Vec<Finding> {
        let judged = trusted::directory(self.path).err();
        let refused = |fault: FileError| Finding::fault("file.unsafe", self.state, &fault);
        let link = match fs::symlink_metadata(self.path) {
            Ok(link) => link,
            Err(error) if is_absent(&error) => {
                return vec![judged.map_or_else(|| self.absent(), refused)];
            }
            Err(error) => return vec![self.out_of_reach(&error)],
        };
        let finding = match fs::metadata(self.path) {
            Err(error) => self.out_of_reach(&error),
            Ok(metadata) if !metadata.is_dir() => {
                let old = format!("{}.old", self.path.display());
                let finding = self.finding("file.not_directory", "is not a directory");
                finding.command("mv", [word(self.path), old])
            }
            Ok(metadata) => (self.owner(&metadata))
                .or_else(|| judged.map(refused))
                .or_else(|| self.room())
                .unwrap_or_else(|| {
                    let (shown, mode) = (&self.shown, metadata.mode() & 0o7777);
                    Finding::ok("file.directory", format_args!("{shown} (mode {mode:04o})"))
                }),
        };
        self.symlink(&link).into_iter().chain([finding]).collect()
    }

    /// The finding for what is missing, which is created on first use if its parent allows.
    pub(super) fn absent(&self) -> Finding {
        let exists = |dir: &&Path| matches!(trusted::exists(dir), Ok(true));
        let above = self.path.ancestors().skip(1).find(exists);
        let above = above.unwrap_or(Path::new("/"));
        if may(above, Access::WRITE_OK).is_ok() && above.is_dir() {
            let shown = &self.shown;
            let what = format_args!("{shown} is made when it is first needed");
            return Finding::ok("file.absent", what);
        }
        let above = above.display();
        let what = format_args!("is not there and cannot be made: {above} cannot be written");
        self.finding("file.absent", what)
            .words("make it for this user, or choose another place in the configuration")
    }

    fn out_of_reach(&self, error: &io::Error) -> Finding {
        let what = format_args!("cannot be looked at ({error})");
        self.finding("file.unreachable", what)
            .words("give this user access to it, or choose another place in the configuration")
    }

    /// The finding for a link, whose owner decides where it leads.
    pub(super) fn symlink(&self, link: &Metadata) -> Option<Finding> {
        let target = fs::canonicalize(self.path);
        let target = target.map_or_else(|_| "nowhere".to_owned(), |target| word(&target));
        let what = format!("{} is a symbolic link to {target}", self.shown);
        let owner = link.uid();
        let finding = if [geteuid().as_raw(), 0].contains(&owner) {
            Finding::note("file.symlink", what)
        } else {
            let what = format_args!("{what}, and uid {owner} can change that");
            Finding::broken("file.symlink", what).words(format_args!(
                "if {target} is right, name it in the configuration; else remove the link"
            ))
        };
        link.is_symlink().then_some(finding)
    }

    pub(super) fn owner(&self, metadata: &Metadata) -> Option<Finding> {
        let fault = trusted::check_owner(self.path, metadata.uid()).err()?;
        let (me, owner) = (geteuid().as_raw(), metadata.uid());
        let what = format_args!("belongs to uid {owner}, and this is uid {me}");
        let finding = self.finding("file.owner", what);
        Some(match me {
            0 => finding.run(&format!("sudo -u #{owner} {PROGRAM} doctor")),
            _ => finding.words(fault.fix),
        })
    }

    /// Checks whether the directory can be written. `get` works without.
    fn room(&self) -> Option<Finding> {
        let stat = statvfs(self.path).ok();
        let flags = stat.as_ref().map(|stat| stat.f_flag);
        let read_only = flags.is_some_and(|flags| flags.contains(StatVfsMountFlags::RDONLY));
        match may(self.path, Access::WRITE_OK | Access::EXEC_OK) {
            Err(Errno::ROFS) => {}
            Err(error) => {
                let what = format_args!("cannot be written ({error}): nothing new is kept");
                let mut finding = self.finding("file.unwritable", what);
                // Existing entries can still be returned.
                if may(self.path, Access::READ_OK | Access::EXEC_OK).is_ok() {
                    finding.state = finding.state.min(State::Warn);
                }
                let fix = "make it writable, or choose another place in the configuration";
                return Some(finding.words(fix));
            }
            Ok(()) if !read_only => {
                let stat = stat?;
                let is_full = stat.f_bavail.saturating_mul(stat.f_frsize) < ROOM
                    || stat.f_files > 0 && stat.f_favail == 0;
                let finding = self.finding(FULL, "is on a full disk: nothing new is kept");
                let path = self.path.display();
                let fix = format_args!("make room; df -h {path} shows how much there is");
                return is_full.then(|| finding.words(fix));
            }
            Ok(()) => {}
        }
        let what = format!(
            "{} is on a read-only file system: what is there is answered, and nothing new is kept",
            self.shown
        );
        let fix = "choose another place in the configuration, or mount it writable";
        Some(Finding::note("file.read_only", what).words(fix))
    }
}

pub(super) const FULL: &str = "file.full";
/// In bytes. A stored credential or a token needs a few kilobytes.
const ROOM: u64 = 1 << 20;
