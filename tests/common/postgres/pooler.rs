//! A real pgbouncer in front of the server, which gives out its sessions for one transaction at a time: anyone who comes next
//! gets another's. It is stopped, and all of it removed, when the test binary is gone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::{KEEPER, PASSWORD, Server, USER, absent, account, scratch};

pub struct Pooler {
    pub port: u16,
    dir: PathBuf,
    psql: PathBuf,
    /// Closed when this process ends, which stops it.
    _life: ChildStdin,
}

impl Pooler {
    /// One in front of this server; where there is no pgbouncer the test says so and passes, but for `STRICT=1`.
    pub fn new(server: &Server, test: &str) -> Option<Self> {
        let Some(program) = binary() else {
            absent(test, "pgbouncer");
            return None;
        };
        Some(Self::start(server, &program))
    }

    /// The one that all tests share which change nothing about it.
    pub fn shared(server: &Server, test: &str) -> Option<&'static Self> {
        static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
        POOLER.get_or_init(|| Self::new(server, test)).as_ref()
    }

    /// A command of its console.
    pub fn command(&self, command: &str) {
        let output = Command::new(&self.psql)
            .args([
                "-Xq",
                "-h",
                "127.0.0.1",
                "-U",
                USER,
                "-d",
                "pgbouncer",
                "-c",
                command,
                "-p",
            ])
            .arg(self.port.to_string())
            .env_clear()
            .envs([
                ("PATH", "/usr/bin:/bin"),
                ("PGPASSWORD", PASSWORD),
                ("PGSSLMODE", "disable"),
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// From now on it lets the user in with this password alone.
    pub fn takes_password(&self, password: &str) {
        fs::write(self.dir.join("users"), users(password)).unwrap();
        self.command("RELOAD");
    }

    fn start(server: &Server, program: &PathBuf) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("beta9-pooler-")
            .tempdir_in(scratch())
            .unwrap()
            .keep();
        let account = account();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            // Fewer sessions than there are clients at a time, so that they are shared.
            let ini = format!(
                "[databases]\n* = host=127.0.0.1 port={} user={USER} password='{PASSWORD}'\n[pgbouncer]\n\
                 listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = transaction\n\
                 default_pool_size = 4\nmax_client_conn = 400\nauth_type = scram-sha-256\nauth_file = users\n\
                 admin_users = {USER}\n",
                server.port
            );
            fs::write(dir.join("pgbouncer.ini"), ini).unwrap();
            fs::write(dir.join("users"), users(PASSWORD)).unwrap();
            let log = fs::File::create(dir.join("log")).unwrap();
            let mut keeper = Command::new("/bin/sh");
            keeper
                .args(["-c", KEEPER, "sh"])
                .arg(&dir)
                .arg("TERM")
                .arg(program)
                .args(["-q", "pgbouncer.ini"])
                .current_dir(&dir)
                .env_clear()
                .process_group(0);
            if let Some((user, group)) = account {
                // It refuses to run as root.
                chown(&dir, Some(user), Some(group)).unwrap();
                keeper.uid(user).gid(group);
            }
            let mut keeper = keeper
                .stdin(Stdio::piped())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let life = keeper.stdin.take().unwrap();
            while keeper.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self {
                        port,
                        dir,
                        psql: server.bin.join("psql"),
                        _life: life,
                    };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!(
            "pgbouncer does not start: {}",
            fs::read_to_string(dir.join("log")).unwrap_or_default()
        );
    }
}

fn users(password: &str) -> String {
    format!("\"{USER}\" \"{password}\"\n")
}

/// Debian has it where no user's PATH reaches.
fn binary() -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .map(|dir| PathBuf::from(dir).join("pgbouncer"))
        .into_iter()
        .find(|path| path.exists())
}
