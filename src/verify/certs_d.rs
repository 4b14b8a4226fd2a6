//! `certs.d`: the authorities and client certificates for one registry, read the way clients do: docker
//! (`loadTLSConfig` in <https://github.com/moby/moby>, and <https://docs.docker.com/engine/security/certificates/>),
//! and podman, skopeo, buildah and CRI-O (`dockerCertDir` and `SetupCertificates` in
//! <https://github.com/containers/image>).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::Env;
use crate::tls::{Extra, provider};
use crate::trusted::{self, FileError, MAX_TEXT, Reader, Readers};

/// The directories with one subdirectory for each registry.
#[derive(Debug)]
pub struct CertDirs {
    /// Docker's: the engine's, the rootless engine's and Docker Desktop's. Each engine reads only its own.
    pub docker: Vec<(PathBuf, Reader)>,
    /// Podman's and its family's, which read only the first one with a subdirectory for the registry.
    pub containers: Vec<(PathBuf, Reader)>,
}

/// A registry's certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    /// The certificates for the TLS handshake.
    pub extra: Extra,
    /// The files they were read from.
    pub files: Vec<PathBuf>,
    /// Files that a client can read but this user can't.
    pub warnings: Vec<String>,
}

impl CertDirs {
    /// The clients' directories, on this node and for this user.
    pub fn of(env: &Env) -> Self {
        let system = |dir: &str| (PathBuf::from(dir), trusted::read_system as Reader);
        let user = |dir: Option<PathBuf>, below: &str| {
            dir.map(|dir| (dir.join(below), trusted::read as Reader))
        };
        let docker = [
            Some(system(DOCKER)),
            user(env.xdg("XDG_CONFIG_HOME", ".config"), "docker/certs.d"),
            user(env.home(), ".docker/certs.d"),
        ];
        let containers = [
            user(env.home(), ".config/containers/certs.d"),
            Some(system(CONTAINERS)),
            Some(system(DOCKER)),
        ];
        Self {
            docker: docker.into_iter().flatten().collect(),
            containers: containers.into_iter().flatten().collect(),
        }
    }

    /// Reads the certificates for a registry, spelled as in the image's name.
    pub fn read(&self, registry: &str) -> Result<Certificates, FileError> {
        let of = |(dir, read): &(PathBuf, Reader)| (dir.join(registry), *read);
        let first = self.containers.iter().map(of).find(|(dir, _)| {
            // Skips unreadable directories, as podman does.
            trusted::exists(dir).unwrap_or(false)
        });
        let mut found = Certificates::default();
        let mut seen: Vec<PathBuf> = Vec::new();
        for (dir, read) in self.docker.iter().map(of).chain(first) {
            if !seen.contains(&dir) {
                found.add(&dir, read)?;
                seen.push(dir);
            }
        }
        Ok(found)
    }
}

impl Certificates {
    fn add(&mut self, dir: &Path, read: Reader) -> Result<(), FileError> {
        let files = self.names(dir)?;
        let has = |name: &Path| files.iter().any(|file| file == name);
        for file in &files {
            match file.extension().and_then(OsStr::to_str) {
                Some("crt") => {
                    if let Some(pem) = self.text(file, read, Readers::Anybody)? {
                        // Skips anything but certificates, as clients do.
                        self.extra
                            .authorities
                            .extend(CertificateDer::pem_slice_iter(&pem).flatten());
                        self.files.push(file.clone());
                    }
                }
                Some("cert") => {
                    let key = file.with_extension("key");
                    if !has(&key) {
                        return Err(FileError::new(
                            file,
                            format_args!("has no {} beside it", key.display()),
                            "add the key; a certificate of an authority must be named .crt",
                        ));
                    }
                    let chain = self.text(file, read, Readers::Anybody)?;
                    let secret = self.text(&key, read, Readers::Mounted)?;
                    if let (Some(chain), Some(secret)) = (chain, secret) {
                        self.extra
                            .identities
                            .push(pair(file, &chain, &key, &secret)?);
                        self.files.extend([file.clone(), key]);
                    }
                }
                Some("key") if !has(&file.with_extension("cert")) => {
                    return Err(FileError::new(
                        file,
                        format_args!("has no {} beside it", file.with_extension("cert").display()),
                        "add the certificate, or remove the key",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files of a directory, in order; none if it does not exist.
    fn names(&mut self, dir: &Path) -> Result<Vec<PathBuf>, FileError> {
        let failed = |error: &std::io::Error| {
            FileError::new(
                dir,
                format_args!("cannot be read ({error})"),
                "make it a directory that can be read",
            )
        };
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if trusted::is_absent(&error) && !dir.is_file() => return Ok(Vec::new()),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                self.pass_over(dir);
                return Ok(Vec::new());
            }
            Err(error) => return Err(failed(&error)),
        };
        let mut files = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(&error))?;
        files.sort();
        Ok(files)
    }

    /// A file's text; `None` if it has disappeared, or only another user may read it.
    fn text(
        &mut self,
        file: &Path,
        read: Reader,
        readers: Readers,
    ) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, FileError> {
        if access(file, Access::READ_OK) == Err(Errno::ACCESS) {
            self.pass_over(file);
            return Ok(None);
        }
        read(file, readers, MAX_TEXT)
    }

    fn pass_over(&mut self, path: &Path) {
        self.warnings.push(format!(
            "{} can be read by another user only; run this as the client's user, root for docker's engine",
            path.display()
        ));
    }
}

fn pair(
    cert: &Path,
    chain: &[u8],
    key: &Path,
    secret: &[u8],
) -> Result<Arc<CertifiedKey>, FileError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).flatten().collect();
    if chain.is_empty() {
        return Err(FileError::new(
            cert,
            "holds no certificate",
            "put a PEM certificate there",
        ));
    }
    let secret = PrivateKeyDer::from_pem_slice(secret).map_err(|_| {
        FileError::new(
            key,
            "holds no private key",
            "put an unencrypted PEM key there",
        )
    })?;
    let secret = provider()
        .key_provider
        .load_private_key(secret)
        .map_err(|_| {
            FileError::new(
                key,
                "holds a key of a kind that is not known",
                "use an RSA, ECDSA or Ed25519 key",
            )
        })?;
    let pair = CertifiedKey::new(chain, secret);
    // A certificate that can't be parsed here, such as one of version 1, is left for the server to check.
    if let Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = pair.keys_match() {
        return Err(FileError::new(
            key,
            format_args!("is not the key of {}", cert.display()),
            "put the certificate's own key there",
        ));
    }
    Ok(Arc::new(pair))
}

const DOCKER: &str = "/etc/docker/certs.d";
const CONTAINERS: &str = "/etc/containers/certs.d";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn dirs(root: &Path) -> CertDirs {
        let at = |name: &str| (root.join(name), trusted::read as Reader);
        CertDirs {
            docker: vec![at("docker"), at("rootless")],
            containers: vec![at("user"), at("containers"), at("docker")],
        }
    }

    fn put(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "no certificate").unwrap();
        }
    }

    /// The paths of the files that are read, relative to the root.
    fn read(files: &[&str], registry: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), files);
        let found = dirs(root.path()).read(registry).unwrap();
        let name = |path: &PathBuf| {
            path.strip_prefix(root.path())
                .unwrap()
                .display()
                .to_string()
        };
        found.files.iter().map(name).collect()
    }

    #[test]
    fn each_client_reads_its_own_directory_of_the_registry_and_port() {
        let table: [(&[&str], &str, &[&str]); 7] = [
            (
                &["docker/r.example/b.crt", "docker/r.example/a.crt"],
                "r.example",
                &["docker/r.example/a.crt", "docker/r.example/b.crt"],
            ),
            (&["docker/r.example/a.crt"], "r.example:5000", &[]),
            (
                &["docker/r.example:5000/a.crt", "docker/r.example/a.crt"],
                "r.example:5000",
                &["docker/r.example:5000/a.crt"],
            ),
            (
                &["user/r.example/a.crt", "containers/r.example/b.crt"],
                "r.example",
                &["user/r.example/a.crt"],
            ),
            (
                &["containers/r.example/b.crt", "docker/r.example/a.crt"],
                "r.example",
                &["docker/r.example/a.crt", "containers/r.example/b.crt"],
            ),
            (
                &["rootless/r.example/a.crt", "docker/a.crt"],
                "r.example",
                &["rootless/r.example/a.crt"],
            ),
            (
                &["docker/r.example/a.pem", "docker/r.example/README"],
                "r.example",
                &[],
            ),
        ];
        for (files, registry, expected) in table {
            assert_eq!(read(files, registry), expected, "{files:?} {registry}");
        }
    }

    #[test]
    fn half_a_pair_or_a_broken_one_is_an_error_that_names_the_files() {
        let table: [(&[&str], &str); 3] = [
            (
                &["docker/r/a.cert"],
                "a.cert has no ROOT/docker/r/a.key beside it",
            ),
            (
                &["containers/r/a.key"],
                "a.key has no ROOT/containers/r/a.cert beside it",
            ),
            (
                &["docker/r/a.cert", "docker/r/a.key"],
                "a.cert holds no certificate",
            ),
        ];
        for (files, expected) in table {
            let root = tempfile::tempdir().unwrap();
            put(root.path(), files);
            let fault = dirs(root.path()).read("r").unwrap_err();
            let cause = fault.cause.replace(root.path().to_str().unwrap(), "ROOT");
            assert!(cause.contains(expected), "{cause}");
        }
    }

    #[test]
    fn what_others_can_change_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        put(root.path(), &["docker/r/ca.crt"]);
        let file = root.path().join("docker/r/ca.crt");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let fault = dirs(root.path()).read("r").unwrap_err();
        assert!(fault.cause.contains("can be written by others"), "{fault}");
    }
}
