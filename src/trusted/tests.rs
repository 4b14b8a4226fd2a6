use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

use super::*;

/// A directory of mode 0755, inside a closed one if `closed`.
struct Tree {
    scratch: tempfile::TempDir,
}

impl Tree {
    fn new(mode: u32) -> Self {
        let tree = Self {
            scratch: tempfile::tempdir().unwrap(),
        };
        chmod(tree.scratch.path(), mode);
        tree
    }

    fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn dir(&self, name: &str, mode: u32) -> PathBuf {
        fs::create_dir_all(self.at(name)).unwrap();
        chmod(&self.at(name), mode);
        self.at(name)
    }

    fn file(&self, name: &str, mode: u32) -> PathBuf {
        fs::write(self.at(name), "text").unwrap();
        chmod(&self.at(name), mode);
        self.at(name)
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The text or the error that a new process would get.
fn read_as(path: &Path, origin: Origin, readers: Readers) -> Result<Option<String>, String> {
    session::forget();
    let read = read_of(path, origin, readers, 99).map_err(|fault| fault.to_string())?;
    Ok(read.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn steers(path: &Path) -> Result<Option<String>, String> {
    read_as(path, Origin::Standard, Readers::Anybody)
}

/// The content of every file of a tree.
macro_rules! text {
    () => {
        Ok(Some("text".to_owned()))
    };
}

/// The error for a path through a directory that others can write to.
fn reached(path: &Path, through: &Path, mode: &str) -> String {
    let (path, through) = (path.display(), through.display());
    format!(
        "{path} is reached through {through}, which can be written by others (mode {mode}); chmod go-w {through}"
    )
}

/// Whether the user has a private group; root's serves these tests as well.
fn has_private_group(path: &Path) -> bool {
    let metadata = fs::metadata(path).unwrap();
    metadata.uid() == metadata.gid() && users::is_private_group(metadata.uid(), metadata.gid())
}

#[test]
fn what_others_can_write_is_refused_by_name_with_the_remedy() {
    let tree = Tree::new(0o755);
    let (dir, file) = (tree.dir("a", 0o755), tree.file("a/file", 0o644));
    assert_eq!(steers(&file), text!());
    chmod(&file, 0o646);
    let refused = format!(
        "{0} can be written by others (mode 0646); chmod go-w {0}",
        file.display()
    );
    assert_eq!(steers(&file), Err(refused));
    chmod(&file, 0o644);
    for above in [dir.as_path(), tree.scratch.path()] {
        chmod(above, 0o757);
        let through = |path: &Path| Err(reached(path, above, "0757"));
        assert_eq!(steers(&file), through(&file));
        assert_eq!(
            read_as(&file, Origin::Named, Readers::Anybody),
            through(&file)
        );
        // The file does not exist yet, but others could create it.
        assert_eq!(
            steers(&dir.join("none/file")),
            through(&dir.join("none/file"))
        );
        chmod(above, 0o1777);
        assert_eq!(
            steers(&file),
            text!(),
            "a sticky directory keeps our names ours"
        );
        chmod(above, 0o755);
    }
    assert_eq!(steers(&dir.join("none")), Ok(None));
    assert_eq!(steers(&file.join("below")), Ok(None));
}

#[test]
fn a_secret_is_for_its_owner_alone() {
    let tree = Tree::new(0o755);
    let file = tree.file("key", 0o640);
    let refused = |mode: &str| {
        Err(format!(
            "{0} is open to others (mode {mode}); chmod 600 {0}",
            file.display()
        ))
    };
    assert_eq!(
        read_as(&file, Origin::Named, Readers::Owner),
        refused("0640")
    );
    assert_eq!(read_as(&file, Origin::Named, Readers::Group), text!());
    chmod(&file, 0o604);
    assert_eq!(
        read_as(&file, Origin::Named, Readers::Owner),
        refused("0604")
    );
    assert_eq!(read_as(&file, Origin::Named, Readers::Mounted), text!());
    assert_eq!(
        read_as(&file, Origin::Named, Readers::Group),
        refused("0604")
    );
    let warned = read_as(&file, Origin::Named, Readers::Token);
    if fs::metadata(&file).unwrap().uid() == 0 {
        // As for a token mounted by Kubernetes.
        assert_eq!(warned, text!());
        let warnings: Vec<String> = take_warnings().iter().map(ToString::to_string).collect();
        assert!(
            warnings
                .iter()
                .any(|text| text
                    .contains("key holds a secret and can be read by others (mode 0604)"))
        );
    } else {
        assert_eq!(warned, refused("0604"));
    }
    chmod(&file, 0o602);
    for readers in [
        Readers::Owner,
        Readers::Group,
        Readers::Token,
        Readers::Mounted,
    ] {
        assert_eq!(read_as(&file, Origin::Named, readers), refused("0602"));
    }
}

#[test]
fn a_group_may_write_where_it_is_private_or_kept_out() {
    let tree = Tree::new(0o755);
    let (dir, file) = (tree.dir("a", 0o775), tree.file("a/file", 0o664));
    if has_private_group(&file) {
        assert_eq!(steers(&file), text!());
    }
    let other = fs::metadata(&file).unwrap().gid() + 4711;
    if chown(&dir, None, Some(other)).is_err() {
        println!(
            "skip a_group_may_write_where_it_is_private_or_kept_out: only root gives files to a group"
        );
        return;
    }
    assert_eq!(steers(&file), Err(reached(&file, &dir, "0775")));
    chmod(tree.scratch.path(), 0o700);
    assert_eq!(steers(&file), text!());
    chown(&file, None, Some(other)).unwrap();
    assert_eq!(steers(&file), text!());
    chmod(tree.scratch.path(), 0o711);
    chmod(&dir, 0o755);
    assert!(
        steers(&file)
            .unwrap_err()
            .contains("file can be written by others (mode 0664)")
    );
}

#[test]
fn a_group_is_not_private_where_an_access_list_names_others() {
    let tree = Tree::new(0o755);
    let file = tree.file("file", 0o664);
    if !has_private_group(&file) {
        println!(
            "skip a_group_is_not_private_where_an_access_list_names_others: this user has no private group"
        );
        return;
    }
    assert_eq!(steers(&file), text!());
    // user::rw- user:12345:rw- group::r-- mask::rw- other::r--
    let entries: [(u16, u16, u32); 5] = [
        (1, 6, !0),
        (2, 6, 12345),
        (4, 4, !0),
        (16, 6, !0),
        (32, 4, !0),
    ];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        acl.extend_from_slice(&tag.to_le_bytes());
        acl.extend_from_slice(&rights.to_le_bytes());
        acl.extend_from_slice(&id.to_le_bytes());
    }
    if rustix::fs::setxattr(&file, ACL, &acl, rustix::fs::XattrFlags::empty()).is_err() {
        println!(
            "skip a_group_is_not_private_where_an_access_list_names_others: the file system has no access lists"
        );
        return;
    }
    assert!(
        steers(&file)
            .unwrap_err()
            .contains("file can be written by others (mode 0664)")
    );
}

#[test]
fn a_named_path_may_lie_in_an_open_directory_that_a_closed_one_is_around() {
    let tree = Tree::new(0o700);
    let (dir, file) = (tree.dir("open", 0o777), tree.file("open/file", 0o600));
    assert_eq!(read_as(&file, Origin::Named, Readers::Owner), text!());
    let warnings: Vec<String> = take_warnings().iter().map(ToString::to_string).collect();
    let warned = format!("{} can be written by others (mode 0777); ", dir.display());
    assert!(
        warnings.len() == 1 && warnings[0].starts_with(&warned),
        "{warnings:?}"
    );
    assert_eq!(
        read_as(&file, Origin::Standard, Readers::Owner),
        Err(reached(&file, &dir, "0777"))
    );
    // Even after another read in the same thread.
    read_of(&file, Origin::Named, Readers::Owner, 99).unwrap();
    assert!(read_of(&file, Origin::Standard, Readers::Owner, 99).is_err());
    session::forget();
    // Our own files must not be in the open directory itself.
    let refused = format!(
        "{0} can be written by others (mode 0777); chmod 700 {0}",
        dir.display()
    );
    assert_eq!(directory(&dir).unwrap_err().to_string(), refused);
    let below = tree.dir("open/ours", 0o700);
    assert!(directory(&below).unwrap());
}

#[test]
fn every_spelling_of_a_path_is_judged_alike() {
    let tree = Tree::new(0o755);
    tree.dir("a/b", 0o755);
    tree.file("a/b/file", 0o644);
    let open = tree.dir("open", 0o777);
    tree.dir("open/in", 0o755);
    tree.file("open/in/file", 0o644);
    symlink("a", tree.at("link")).unwrap();
    symlink("../open/in", tree.at("a/out")).unwrap();
    for spelling in [
        "a/b/file",
        "a//b/file",
        "a/./b/file",
        "a/b/../b/file",
        "link/b/file",
        "link/../a/b/./file",
    ] {
        let path = tree.at(spelling);
        assert_eq!(steers(&path), text!(), "{spelling}");
        // Directories checked for one path are reused for the next.
        assert!(read_of(&path, Origin::Standard, Readers::Anybody, 99).is_ok());
    }
    for spelling in [
        "open/in/file",
        "open//in/file",
        "a/../open/in/file",
        "a/out/file",
        "link/out/file",
        "open/in/../in/file",
    ] {
        let path = tree.at(spelling);
        assert_eq!(
            steers(&path),
            Err(reached(&path, &open, "0777")),
            "{spelling}"
        );
    }
    for spelling in [
        "a/none/file",
        "none",
        "a/b/file/below",
        "link/none/file",
        "a/b/none/..",
    ] {
        assert_eq!(steers(&tree.at(spelling)), Ok(None), "{spelling}");
    }
    for spelling in ["a/b", "a/b/", "a/b/.", "link"] {
        let refused = steers(&tree.at(spelling)).unwrap_err();
        assert!(
            refused.contains("is not a plain file"),
            "{spelling}: {refused}"
        );
    }
}

#[test]
fn links_are_followed_and_what_they_lead_through_is_judged() {
    let tree = Tree::new(0o755);
    tree.dir("..2024", 0o755);
    tree.file("..2024/token", 0o644);
    symlink("..2024", tree.at("..data")).unwrap();
    symlink("..data/token", tree.at("token")).unwrap();
    assert_eq!(steers(&tree.at("token")), text!());
    let elsewhere = Tree::new(0o755);
    elsewhere.file("file", 0o644);
    symlink(elsewhere.at("file"), tree.at("far")).unwrap();
    symlink(
        elsewhere
            .scratch
            .path()
            .join("../")
            .join(elsewhere.scratch.path().file_name().unwrap()),
        tree.at("dir"),
    )
    .unwrap();
    assert_eq!(
        (steers(&tree.at("far")), steers(&tree.at("dir/file"))),
        (text!(), text!())
    );
    assert_eq!(steers(&tree.at("dir/../none")), Ok(None));
    chmod(elsewhere.scratch.path(), 0o757);
    for path in ["far", "dir/file"] {
        assert!(
            steers(&tree.at(path))
                .unwrap_err()
                .contains("can be written by others (mode 0757)"),
            "{path}"
        );
    }
    symlink("circle", tree.at("circle")).unwrap();
    assert!(
        steers(&tree.at("circle"))
            .unwrap_err()
            .contains("leads in a circle of symbolic links")
    );
    symlink("nowhere", tree.at("dangling")).unwrap();
    assert_eq!(steers(&tree.at("dangling")), Ok(None));
}

#[test]
fn only_a_plain_file_of_a_fitting_size_is_read_and_nothing_is_waited_for() {
    let tree = Tree::new(0o755);
    let pipe = tree.at("pipe");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.at("socket")).unwrap();
    symlink("/dev/zero", tree.at("zero")).unwrap();
    tree.dir("directory", 0o755);
    for name in ["pipe", "socket", "zero", "directory"] {
        let refused = steers(&tree.at(name)).unwrap_err();
        assert!(
            refused.ends_with(" is not a plain file; name a file"),
            "{refused}"
        );
        assert!(read_inside(&tree.at(name), Readers::Owner, 99).is_err());
    }
    assert_eq!(
        steers(Path::new("/dev/null")),
        Ok(Some(String::new())),
        "it stands for nothing"
    );
    fs::write(tree.at("large"), [b'x'; 100]).unwrap();
    assert!(
        steers(&tree.at("large"))
            .unwrap_err()
            .contains("is larger than 99 bytes")
    );
    assert!(
        directory(&tree.at("large"))
            .unwrap_err()
            .to_string()
            .contains("is not a directory")
    );
}

#[test]
fn the_directory_for_what_is_ours_alone_is_closed_to_every_group() {
    let tree = Tree::new(0o700);
    let dir = tree.dir("a", 0o700);
    assert!(directory(&dir).unwrap());
    assert!(!directory(&dir.join("none")).unwrap());
    for mode in [0o770, 0o707, 0o777, 0o1777] {
        chmod(&dir, mode);
        session::forget();
        let refused = format!(
            "{0} can be written by others (mode {mode:04o}); chmod 700 {0}",
            dir.display()
        );
        assert_eq!(directory(&dir).unwrap_err().to_string(), refused);
    }
    session::forget();
    // A directory that was only passed through is checked again as a private one.
    chmod(&dir, 0o1777);
    assert_eq!(steers(&dir.join("none")), Ok(None));
    assert!(directory(&dir).is_err());
}

#[test]
fn whether_something_exists_has_three_answers() {
    let tree = Tree::new(0o755);
    let file = tree.file("file", 0o600);
    assert_eq!(
        (exists(&file).unwrap(), exists(&tree.at("none")).unwrap()),
        (true, false)
    );
    assert!(!exists(&file.join("below")).unwrap());
    symlink("circle", tree.at("circle")).unwrap();
    assert!(
        exists(&tree.at("circle"))
            .unwrap_err()
            .to_string()
            .contains("circle cannot be read (")
    );
}

#[test]
fn what_is_below_a_dot_directory_of_the_home_directory_was_named_by_nobody() {
    let tree = Tree::new(0o700);
    set_home(tree.scratch.path());
    assert!(
        !is_named(&tree.at(".config/beta9/credential-helper.toml"))
            && is_named(&tree.at("volume/store"))
    );
    assert!(is_named(Path::new("/etc/.config/x")) && is_named(tree.scratch.path()));
    let (open, file) = (tree.dir(".config", 0o777), tree.file(".config/file", 0o600));
    assert_eq!(
        read(&file, Readers::Anybody, 99).unwrap_err().to_string(),
        reached(&file, &open, "0777")
    );
}
