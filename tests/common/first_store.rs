//! A store that 0.1 made: `tests/fixtures/store-1`, sealed files of the first format and their key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Node;

/// Puts the store into a node.
pub fn plant(node: &Node) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-1");
    copy(&fixture.join("credentials"), &node.store_dir());
    copy(&fixture.join("credentials.key"), &node.key_file());
    for dir in node.store_dir().ancestors().take(4) {
        fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    }
}

/// The files of the first format that are left.
pub fn files(node: &Node) -> Vec<PathBuf> {
    let mut files = node.sealed_files();
    files.retain(|path| !path.to_str().unwrap().ends_with(".2.sealed"));
    files
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::write(to, fs::read(from).unwrap()).unwrap();
        fs::set_permissions(to, Permissions::from_mode(0o600)).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
