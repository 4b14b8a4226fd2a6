//! A client's file: read behind whatever symbolic links, and replaced whole where it really is.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::refusal;
use crate::error::{Error, Problem};

/// A file's text, which may hold passwords, and what else must stay when it is replaced.
pub struct Text {
    /// All of it.
    pub text: Zeroizing<String>,
    /// Its mode, owner and place on the disk.
    pub metadata: Metadata,
}

impl Text {
    /// Reads a file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let unreadable = |error: io::Error| {
            problem(path, format_args!("it cannot be read ({error})")).fix(refusal::to_read(path, &error)).failed()
        };
        // Without O_NONBLOCK, opening a named pipe that nobody writes to would never end.
        let file = match OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(problem(path, "it is not a plain file").fix("move it out of the way").failed());
        }
        let bytes = read_bounded(file, metadata.len()).map_err(unreadable)?;
        if bytes.len() as u64 > LIMIT {
            let fix = "it is not what belongs here: move it away";
            return Err(problem(path, format_args!("it is larger than {LIMIT} bytes")).fix(fix).failed());
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| problem(path, "it is not UTF-8, so no client can read it").fix("correct it").failed())?;
        Ok(Some(Self { text: Zeroizing::new(text.to_owned()), metadata }))
    }
}

fn read_bounded(file: File, size: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size.min(LIMIT)).unwrap_or(0) + 1));
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Who may read a file that is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner: docker's and podman's files may come to hold passwords.
    Owner,
    /// Everybody.
    All,
}

/// Follows symbolic links to where the file is, or would be made.
pub fn real_path(path: &Path) -> Result<PathBuf, Error> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(problem(&path, "its symbolic links lead in a circle").fix("correct them").failed())
}

/// Puts `text` in place of what is there, unless that is no longer `old`: written aside, synced, renamed. Links, mode and
/// owner stay. Answers how many directories it made.
pub fn replace(path: &Path, old: Option<&Text>, text: &str, readers: Readers) -> Result<usize, Error> {
    let path = real_path(path)?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    let made = make_dirs(dir, readers)?;
    check_writable(&path, dir, old)?;
    let aside = dir.join(format!(".{}.{}", path.file_name().unwrap_or_default().display(), std::process::id()));
    let written = write_aside(&aside, old, text, readers).map_err(|error| unwritable(&path, &error));
    let done = written
        .and_then(|()| unchanged(&path, old))
        .and_then(|()| fs::rename(&aside, &path).and_then(|()| sync(dir)).map_err(|error| unwritable(&path, &error)));
    if done.is_err() {
        // What is left aside would only be in the way.
        _ = fs::remove_file(&aside);
    }
    done.map(|()| made)
}

/// Removes the file, and as many directories above it as were made for it and are empty.
pub fn remove(path: &Path, dirs: usize) -> Result<(), Error> {
    let path = real_path(path)?;
    fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
    for dir in path.ancestors().skip(1).take(dirs) {
        if fs::remove_dir(dir).is_err() {
            break;
        }
    }
    Ok(())
}

fn make_dirs(dir: &Path, readers: Readers) -> Result<usize, Error> {
    let missing = dir.ancestors().take_while(|dir| !dir.exists()).count();
    let mode = if readers == Readers::Owner { 0o700 } else { 0o755 };
    for dir in dir.ancestors().take(missing).collect::<Vec<_>>().into_iter().rev() {
        DirBuilder::new().mode(mode).create(dir).map_err(|error| unwritable(dir, &error))?;
        own(dir, &File::open(dir).map_err(|error| unwritable(dir, &error))?)
            .map_err(|error| unwritable(dir, &error))?;
    }
    Ok(missing)
}

/// Root can write what is marked read-only, and somebody marked it so.
fn check_writable(path: &Path, dir: &Path, old: Option<&Text>) -> Result<(), Error> {
    let dir_mode = fs::metadata(dir).map_err(|error| unwritable(dir, &error))?.mode();
    for (path, mode) in old.map(|old| (path, old.metadata.mode())).into_iter().chain([(dir, dir_mode)]) {
        if mode & 0o222 == 0 {
            let fix = format!("nothing was changed; chmod u+w {} if it may be", path.display());
            return Err(problem(path, "it is read-only").fix(fix).failed());
        }
    }
    Ok(())
}

fn write_aside(aside: &Path, old: Option<&Text>, text: &str, readers: Readers) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(text.as_bytes())?;
    if let Some(Text { metadata: old, .. }) = old {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    } else {
        own(aside, &file)?;
        file.set_permissions(Permissions::from_mode(if readers == Readers::Owner { 0o600 } else { 0o644 }))?;
    }
    file.sync_all()
}

/// What root makes below somebody's home directory is that somebody's.
fn own(path: &Path, file: &File) -> io::Result<()> {
    let (above, own) = (fs::metadata(path.parent().unwrap_or(path))?, file.metadata()?);
    if own.uid() != above.uid() && rustix::process::geteuid().is_root() {
        fchown(file, Some(above.uid()), Some(above.gid()))?;
    }
    Ok(())
}

fn unchanged(path: &Path, old: Option<&Text>) -> Result<(), Error> {
    let now = Text::read(path)?;
    if now.as_ref().map(|now| now.text.as_str()) == old.map(|old| old.text.as_str()) {
        return Ok(());
    }
    Err(problem(path, "another program has changed it meanwhile").fix("try again").failed())
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    problem(path, format_args!("it cannot be written ({error})"))
        .fix(format_args!("nothing was changed; {}", refusal::to_write(path, error)))
        .failed()
}

/// A failure that names the file.
pub(super) fn problem(path: &Path, cause: impl std::fmt::Display) -> Problem {
    Problem::new(path.display().to_string(), cause)
}

const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
/// As many as Linux follows.
const MAX_LINKS: usize = 40;
/// Docker's files with hundreds of logins are some 100 KiB.
const LIMIT: u64 = 4 << 20;
