//! Who could have written a file, or put another one in its place.

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

/// What a directory is like, with all that is above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// A directory of mode 0700, of this user or of root, keeps everybody else out.
    closed: bool,
    /// Others can make names in it.
    shared: bool,
    mode: u32,
    owner: u32,
    /// The directory that others can change, where that is to be put up with.
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
    /// Whether others can make names there, so that whose a name is says something.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether it is still like this, and good for what is ours alone: what was only passed through may be writable.
    pub(super) fn is_own(&self, now: &Stat) -> bool {
        self.mode & 0o022 == 0 && (self.mode, self.owner) == (now.st_mode, now.st_uid)
    }
}

/// What a directory is like of which there is nothing to say, as of most; `None` where more has to be looked at.
pub(super) fn plain_directory(stat: &Stat, above: &Way, last: bool) -> Option<Way> {
    let (mode, owner) = (stat.st_mode, stat.st_uid);
    let ours = is_ours(owner);
    let writable = mode & 0o022 != 0;
    let is_known = ours || users::unmapped_root() == Some(owner);
    (is_known && (!writable || mode & STICKY != 0 && !last)).then(|| Way {
        closed: above.closed || ours && mode & ANYBODY_ELSE == 0,
        shared: writable && !above.closed,
        mode,
        owner,
        open: above.open.clone(),
    })
}

/// Judges a directory that `asked` is reached through, below one that is like `above`. The `last` one is for what is ours alone and was made with mode 0700:
/// no group has to write to it, and a sticky one does not do.
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
    let ours = is_ours(owner);
    if !ours && users::unmapped_root() != Some(owner) {
        return Err(error::foreign(asked, path, owner));
    }
    let mut way = Way {
        closed: above.closed || ours && mode & ANYBODY_ELSE == 0,
        shared: !above.closed,
        mode,
        owner,
        open: above.open.clone(),
    };
    if mode & 0o002 == 0 && !last && (above.closed || is_private(path, stat)) {
        way.shared = false;
        return Ok(way);
    }
    let mount = path != Path::new("/") && is_mount(dir);
    if !mount && (last || !above.closed && above.open.is_none()) {
        let refused = || error::writable(asked, path, mode, owner);
        return Err(if last {
            error::own_writable(path, mode, owner)
        } else {
            refused()
        });
    }
    // A mount is put up with for every path, what a closed directory is around only for those that were named. Anyone who can
    // change the first that is open gains nothing by the next.
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

/// Whether a path of this origin may lie in a directory that is like this.
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

/// Judges a file that is open, in a directory that is like `above`.
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
    let secret = readers != Readers::Anybody;
    if mode & 0o002 != 0 || readers != Readers::Owner && mode & 0o020 != 0 && !group_may_write() {
        let steers = || error::writable(path, path, mode, owner);
        return Err(if secret {
            error::open_to_others(path, mode, owner)
        } else {
            steers()
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
    // That is how root gives a secret to somebody.
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

/// `/dev/null`, which is named where a file is to be left out.
pub(super) fn is_null(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (
            rustix::fs::major(stat.st_rdev),
            rustix::fs::minor(stat.st_rdev),
        ) == (1, 3)
}

/// Whether it is this user's, or root's.
pub(super) fn is_ours(owner: u32) -> bool {
    owner == 0 || is_me(owner)
}

fn is_me(owner: u32) -> bool {
    owner == users::me()
}

/// Whether the group that may write to a directory is its owner's alone.
fn is_private(path: &Path, stat: &Stat) -> bool {
    users::is_private_group(stat.st_uid, stat.st_gid) && acl_is_absent(getxattr_query(path, ACL))
}

/// Whether users are named who have rights of their own: the group's bits then say what these may have at most.
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

/// Whether nobody could change its mode, as where Kubernetes mounts a secret.
fn is_read_only(file: impl AsFd) -> bool {
    fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

const STICKY: u32 = 0o1000;
const ANYBODY_ELSE: u32 = 0o077;
/// POSIX's access list (<https://man7.org/linux/man-pages/man5/acl.5.html>).
pub(crate) const ACL: &str = "system.posix_acl_access";
