//! Decides whether others could have written a file or replaced it.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, FileType, Stat, StatVfsMountFlags, StatxAttributes, StatxFlags, fgetxattr_query,
    fstatvfs, getxattr_query, statx,
};
use rustix::io::Errno;

use super::error::{self, FileError};
use super::{Origin, Readers, session, users};

/// The state of a directory, including everything above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// Whether a directory of mode 0700, of this user or root, keeps all others out.
    closed: bool,
    /// Whether others can create files in it.
    shared: bool,
    mode: u32,
    owner: u32,
    /// The tolerated directory that others can change, if any.
    open: Option<Rc<Open>>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    mode: u32,
    owner: u32,
    mount: bool,
}

impl Way {
    fn below(above: &Self, stat: &Stat, shared: bool) -> Self {
        let (mode, owner) = (stat.st_mode, stat.st_uid);
        Self {
            closed: above.closed || is_ours(owner) && mode & ANYBODY_ELSE == 0,
            shared,
            mode,
            owner,
            open: above.open.clone(),
        }
    }

    /// Whether others can create files there, so that a file's owner matters.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether it is unchanged and fit to be a private directory; directories that are only passed through may be
    /// writable.
    pub(super) fn is_own(&self, now: &Stat) -> bool {
        self.mode & 0o022 == 0 && (self.mode, self.owner) == (now.st_mode, now.st_uid)
    }
}

/// The state of an ordinary directory; `None` if a full check is needed.
pub(super) fn plain_directory(stat: &Stat, above: &Way, last: bool) -> Option<Way> {
    let (mode, owner) = (stat.st_mode, stat.st_uid);
    let writable = mode & 0o022 != 0;
    let is_known = is_ours(owner) || users::unmapped_root() == Some(owner);
    let is_plain = is_known && (!writable || mode & STICKY != 0 && !last);
    is_plain.then(|| Way::below(above, stat, writable && !above.closed))
}

/// Checks a directory on the way to `asked`, below `above`. The `last` one is a private directory that was made with
/// mode 0700: groups must not write to it, and it must not be sticky.
pub(super) fn judge_directory(
    asked: &Path,
    path: &Path,
    dir: impl AsFd,
    stat: &Stat,
    above: &Way,
    last: bool,
) -> Result<Way, FileError> {
    if let Some(way) = plain_directory(stat, above, last) {
        return Ok(way);
    }
    let (mode, owner) = (stat.st_mode, stat.st_uid);
    if !is_ours(owner) && users::unmapped_root() != Some(owner) {
        return Err(error::foreign(asked, path, owner));
    }
    let mut way = Way::below(above, stat, !above.closed);
    if mode & 0o002 == 0 && !last && (above.closed || is_private(path, stat)) {
        way.shared = false;
        return Ok(way);
    }
    let mount = path != Path::new("/") && is_mount(dir);
    if !mount && (last || !above.closed && above.open.is_none()) {
        return Err(if last {
            error::own_writable(path, mode, owner)
        } else {
            error::writable(asked, path, mode, owner)
        });
    }
    // An open mount is tolerated for every path, an open directory inside a closed one only for named paths. Only the
    // first open directory matters, because whoever can change it gains nothing from the next.
    if above.open.is_none() {
        way.open = Some(Rc::new(Open {
            path: path.to_owned(),
            mode,
            owner,
            mount,
        }));
    }
    Ok(way)
}

/// Fails if a path of this origin must not be in such a directory.
pub(super) fn admit(asked: &Path, way: &Way, origin: Origin) -> Result<(), FileError> {
    match &way.open {
        None => Ok(()),
        Some(open) if open.mount || origin == Origin::Named => {
            session::warn(error::open_directory(&open.path, open.mode));
            Ok(())
        }
        Some(open) => Err(error::writable(asked, &open.path, open.mode, open.owner)),
    }
}

/// Checks an open file in the directory `above`.
pub(super) fn judge_file(
    path: &Path,
    file: impl AsFd,
    stat: &Stat,
    above: &Way,
    origin: Origin,
    readers: Readers,
) -> Result<(), FileError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(error::not_plain(path));
    }
    let (mode, owner) = (stat.st_mode, stat.st_uid);
    let of_the_system =
        origin == Origin::System && !above.shared && users::unmapped_root() == Some(owner);
    if !is_ours(owner) && !of_the_system {
        return Err(error::foreign(path, path, owner));
    }
    let group_may_write =
        || above.closed || users::is_private_group(stat.st_uid, stat.st_gid) && !has_acl(&file);
    if mode & 0o002 != 0 || readers != Readers::Owner && mode & 0o020 != 0 && !group_may_write() {
        return Err(if readers == Readers::Anybody {
            error::writable(path, path, mode, owner)
        } else {
            error::open_to_others(path, mode, owner)
        });
    }
    let readable = match readers {
        Readers::Owner => mode & ANYBODY_ELSE != 0,
        Readers::Group | Readers::Token => mode & 0o007 != 0,
        Readers::Mounted | Readers::Anybody => false,
    };
    if !readable {
        return Ok(());
    }
    let roots = owner == 0;
    // This is how root gives a secret to a group.
    if roots && !is_me(owner) && mode & 0o027 == 0 {
        return Ok(());
    }
    let lasting = readers != Readers::Token && (mode & 0o020 != 0 || !is_read_only(&file));
    if !roots || lasting {
        return Err(error::open_to_others(path, mode, owner));
    }
    session::warn(error::readable(path, mode));
    Ok(())
}

/// Whether this is `/dev/null`, which people name to disable a file.
pub(super) fn is_null(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (
            rustix::fs::major(stat.st_rdev),
            rustix::fs::minor(stat.st_rdev),
        ) == (1, 3)
}

/// Whether the owner is this user or root.
pub(super) fn is_ours(owner: u32) -> bool {
    owner == 0 || is_me(owner)
}

fn is_me(owner: u32) -> bool {
    owner == users::me()
}

/// Whether the group that may write is the owner's private group.
fn is_private(path: &Path, stat: &Stat) -> bool {
    users::is_private_group(stat.st_uid, stat.st_gid) && acl_is_absent(getxattr_query(path, ACL))
}

/// Whether the access list has named users. The group bits are then the maximum of their permissions.
fn has_acl(file: impl AsFd) -> bool {
    !acl_is_absent(fgetxattr_query(file, ACL))
}

fn acl_is_absent(asked: Result<usize, Errno>) -> bool {
    matches!(asked, Err(Errno::NODATA | Errno::NOTSUP))
}

/// Whether a file system is mounted at this directory.
fn is_mount(dir: impl AsFd) -> bool {
    let found = statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether the file system is read-only, as for a secret mounted by Kubernetes, so that the mode can't be changed.
fn is_read_only(file: impl AsFd) -> bool {
    fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

const STICKY: u32 = 0o1000;
const ANYBODY_ELSE: u32 = 0o077;
/// The attribute of POSIX access lists (<https://man7.org/linux/man-pages/man5/acl.5.html>).
pub(crate) const ACL: &str = "system.posix_acl_access";
