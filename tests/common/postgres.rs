//! A real PostgreSQL: one server per test binary, on loopback, and one database per test with the columns that Beta9's
//! has. It is stopped and removed when the test binary exits, even if killed.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

pub mod migrations;
pub mod pooler;
pub mod relay;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{
    AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, RandomizedNonceKey, UnboundKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use beta9_credential::config::{Env, PostgresConfig, SecretSetting};
use beta9_credential::host::Host;
use beta9_credential::store::{Lookup, PostgresStore, name};

use super::Node;
use migrations::Migration;

/// The server's one administrator. What is special in a URL is in the password on purpose.
pub const USER: &str = "postgres";
pub const PASSWORD: &str = "hunter2@/:?";
pub const PASSWORD_IN_URL: &str = "hunter2%40%2F%3A%3F";

pub struct Server {
    pub port: u16,
    /// Its certificate's authority; the certificate is for `localhost`. `None` without the `openssl` command.
    pub ca: Option<PathBuf>,
    bin: PathBuf,
    /// Closed when this process ends, which stops the server.
    _life: ChildStdin,
}

/// One test's database, with one workspace in it.
pub struct Database {
    pub server: &'static Server,
    pub name: String,
    pub workspace: String,
    pub signing_key: String,
}

impl Database {
    /// A new database. Without PostgreSQL, the test says so and passes, unless `STRICT=1`.
    pub fn new(test: &str) -> Option<Self> {
        let database = Self::empty(test)?;
        database.sql(include_str!("../fixtures/beta9-schema.sql"));
        database.add_workspace(&database.workspace, &database.signing_key);
        Some(database)
    }

    /// One that a certain version of Beta9 left.
    pub fn after(migration: Migration, test: &str) -> Option<Self> {
        let database = Self::new(test)?;
        migration
            .steps()
            .iter()
            .for_each(|sql| _ = database.sql(sql));
        Some(database)
    }

    /// One without Beta9's tables.
    pub fn empty(test: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        let Some(server) = SERVER.get_or_init(Server::start).as_ref() else {
            absent(test, "PostgreSQL");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        Some(Self {
            server,
            name,
            workspace: uuid(number),
            signing_key: signing_key(number),
        })
    }

    pub fn add_workspace(&self, id: &str, signing_key: &str) {
        self.sql(&format!(
            "INSERT INTO workspace (external_id, name, signing_key) VALUES ('{id}', 'w', '{signing_key}')"
        ));
    }

    pub fn url(&self) -> String {
        self.url_at(
            &format!("127.0.0.1:{}", self.server.port),
            "?sslmode=disable",
        )
    }

    pub fn url_at(&self, place: &str, options: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD_IN_URL}@{place}/{}{options}",
            self.name
        )
    }

    /// A node whose store is this database. It has time: a log-in costs a debug build tens of milliseconds, and there may
    /// be a hundred at once.
    pub fn node(&self) -> Node {
        Node::new()
            .with("BETA9_STORE", "postgres")
            .with("BETA9_TIMEOUT", "60s")
            .with("BETA9_DATABASE_URL", self.url())
            .with("BETA9_WORKSPACE_ID", &self.workspace)
    }

    /// The store of one of its workspaces.
    pub fn store_of(&self, workspace: &str) -> PostgresStore {
        let url = Some(SecretSetting::Inline(self.url().into()));
        PostgresStore::new(workspace, PostgresConfig { url })
    }

    /// What `psql` prints.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }

    /// Puts a blob in as Beta9 would, under the registry's current name.
    pub fn plant(&self, host: &str, blob: &str) {
        self.plant_as(&name::current(&Host::parse(host.as_bytes()).unwrap()), blob);
    }

    pub fn plant_as(&self, name: &str, blob: &str) {
        self.plant_sealed(&self.workspace, name, &seal(&self.signing_key, blob));
    }

    pub fn plant_sealed(&self, workspace: &str, name: &str, sealed: &str) {
        self.sql(&insertion(workspace, name, sealed));
    }

    /// The statement that puts a secret in.
    pub fn planting(&self, name: &str, text: &str) -> String {
        insertion(&self.workspace, name, &seal(&self.signing_key, text))
    }

    /// A secret's content, opened without the helper's code.
    pub fn opened(&self, name: &str) -> String {
        open(
            &self.signing_key,
            &self.sql(&format!(
                "SELECT value FROM workspace_secret WHERE name = '{name}'"
            )),
        )
    }

    /// The names of all secrets, sorted, with commas between them.
    pub fn secret_names(&self) -> String {
        self.sql("SELECT string_agg(name, ',' ORDER BY name COLLATE \"C\") FROM workspace_secret")
    }
}

impl Server {
    fn start() -> Option<Self> {
        let bin = binaries()?;
        let dir = tempfile::Builder::new()
            .prefix("beta9-postgres-")
            .tempdir_in(scratch())
            .unwrap()
            .keep();
        // The server refuses to run as root, and so does initdb.
        let account = account();
        let own = |path: &Path| {
            if let Some((user, group)) = account {
                chown(path, Some(user), Some(group)).unwrap();
            }
        };
        let run = |program: &OsStr| {
            let mut command = Command::new(program);
            command
                .current_dir(&dir)
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .stdin(Stdio::null());
            if let Some((user, group)) = account {
                command.uid(user).gid(group);
            }
            command
        };
        own(&dir);
        fs::write(dir.join("password"), PASSWORD).unwrap();
        own(&dir.join("password"));
        let made = run(bin.join("initdb").as_os_str())
            .args([
                "-D",
                "data",
                "-U",
                USER,
                "--pwfile=password",
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let ca = certificates(&dir);
        for file in ["server.pem", "server.key"] {
            if ca.is_some() {
                own(&dir.join(file));
                fs::set_permissions(dir.join(file), fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let log = fs::File::create(dir.join("log")).unwrap();
            let shown = dir.display();
            let mut settings = vec![format!("unix_socket_directories={shown}")];
            if ca.is_some() {
                let tls = [
                    "ssl=on",
                    "ssl_cert_file=DIR/server.pem",
                    "ssl_key_file=DIR/server.key",
                ];
                settings.extend(tls.map(|setting| setting.replace("DIR", &shown.to_string())));
            }
            let settings = QUICK
                .iter()
                .copied()
                .chain(settings.iter().map(String::as_str));
            let mut keeper = run(OsStr::new("/bin/sh"))
                .args(["-c", KEEPER, "sh"])
                .args([
                    dir.as_os_str(),
                    OsStr::new("INT"),
                    bin.join("postgres").as_os_str(),
                ])
                .args(["-D", "data", "-p", &port.to_string()])
                .args(settings.flat_map(|setting| ["-c", setting]))
                .stdin(Stdio::piped())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .process_group(0)
                .spawn()
                .unwrap();
            let life = keeper.stdin.take().unwrap();
            while keeper.try_wait().unwrap().is_none() {
                // The last line says when connections are taken.
                let status =
                    fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
                if status
                    .lines()
                    .last()
                    .is_some_and(|line| line.trim() == "ready")
                {
                    return Some(Self {
                        port,
                        ca,
                        bin,
                        _life: life,
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!(
            "PostgreSQL does not start: {}",
            fs::read_to_string(dir.join("log")).unwrap_or_default()
        );
    }

    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"))
            .args([
                "-XqAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                USER,
                "-d",
                database,
                "-p",
            ])
            .arg(self.port.to_string())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PGPASSWORD", PASSWORD)
            .env("PGSSLMODE", "disable")
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin
            .take()
            .unwrap()
            .write_all(sql.as_bytes())
            .unwrap();
        let output = psql.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }
}

/// Runs a program for as long as its own standard input is open, then ends it by this signal and removes its directory.
const KEEPER: &str = r#"
trap '' INT TERM HUP
dir="$1" signal="$2"
shift 2
"$@" &
program=$!
(while kill -0 $program 2>/dev/null; do sleep 1; done; kill -9 $$) 2>/dev/null &
watch=$!
read -r _
kill -9 $watch
kill -"$signal" $program
wait $program
rm -rf "$dir"
"#;
/// Settings for a server whose data need not survive a crash.
const QUICK: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=32MB",
    "listen_addresses=127.0.0.1",
];

fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut dirs: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join("bin"))
        .collect();
    dirs.sort();
    dirs.extend(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    dirs.into_iter().find(|dir| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| dir.join(program).exists())
    })
}

/// Reports a skipped test by name; with `STRICT=1`, that is a failure.
fn absent(test: &str, what: &str) {
    let strict = Env::process().text("STRICT").unwrap().as_deref() == Some("1");
    assert!(!strict, "{test}: there is no {what} here");
    println!("skip {test}: there is no {what} here");
}

/// An account that is not root's, if this is root's.
fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = |name: &str| {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    named("postgres")
        .or_else(|| named("nobody"))
        .or(Some((65534, 65534)))
}

/// A directory that another account reaches too.
fn scratch() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        "/tmp".into()
    } else {
        std::env::temp_dir()
    }
}

fn certificates(dir: &Path) -> Option<PathBuf> {
    fs::write(
        dir.join("extensions"),
        "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n",
    )
    .unwrap();
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let commands: [&[&str]; 3] = [
        &[
            "req",
            "-x509",
            "-days",
            "3",
            "-subj",
            "/CN=throw-away authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ],
        &[
            "req",
            "-new",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        ],
        &[
            "x509",
            "-req",
            "-days",
            "3",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "extensions",
            "-out",
            "server.pem",
        ],
    ];
    for arguments in commands {
        let mut command = Command::new("openssl");
        command
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null());
        if arguments[0] == "req" {
            command.args(key);
        }
        let output = command.output().ok()?;
        assert!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Some(dir.join("ca.pem"))
}

/// A look-up with a long deadline, for a vendor's host or one that a rule names.
pub fn lookup(host: &Host) -> Lookup<'_> {
    Lookup {
        by_shared_name: true,
        deadline: deadline(),
        ..Lookup::of(host)
    }
}

pub fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn insertion(workspace: &str, name: &str, sealed: &str) -> String {
    format!(
        "INSERT INTO workspace_secret (name, value, workspace_id) SELECT '{name}', '{sealed}', id FROM workspace \
         WHERE external_id = '{workspace}' ON CONFLICT (workspace_id, name) DO UPDATE SET value = EXCLUDED.value, updated_at = now();"
    )
}

fn uuid(number: u32) -> String {
    format!("0b7f5f6e-3f0a-4c1e-9d2b-{number:012x}")
}

/// `sk_` and 32 bytes in base64, as every workspace of Beta9 has one.
pub fn signing_key(seed: u32) -> String {
    let bytes: Vec<u8> = (0..8_u32)
        .flat_map(|part| (seed * 31 + part).wrapping_mul(0x9e37_79b9).to_be_bytes())
        .collect();
    format!("sk_{}", STANDARD.encode(bytes))
}

fn key_bytes(signing_key: &str) -> Vec<u8> {
    STANDARD
        .decode(signing_key.strip_prefix("sk_").unwrap())
        .unwrap()
}

/// Seals as Beta9 does, with none of the helper's own code.
pub fn seal(signing_key: &str, text: &str) -> String {
    let mut sealed = text.as_bytes().to_vec();
    let key = RandomizedNonceKey::new(&AES_256_GCM, &key_bytes(signing_key)).unwrap();
    let nonce = key
        .seal_in_place_append_tag(Aad::empty(), &mut sealed)
        .unwrap();
    STANDARD.encode([nonce.as_ref().as_slice(), &sealed].concat())
}

/// Opens as Beta9 does, with none of the helper's own code.
pub fn open(signing_key: &str, sealed: &str) -> String {
    let sealed = STANDARD.decode(sealed).unwrap();
    let (nonce, rest) = sealed.split_at(NONCE_LEN);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key_bytes(signing_key)).unwrap());
    let mut text = rest.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    String::from_utf8(
        key.open_in_place(nonce, Aad::empty(), &mut text)
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}
