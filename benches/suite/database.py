"""A real PostgreSQL on loopback with Beta9's tables, SCRAM and TLS, for as long as the run lasts."""

import copy
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import List, Optional

COUNTER = "pg_stat_statements"
REPO = Path(__file__).resolve().parent.parent.parent
PASSWORD = "bench-password"
WORKSPACE = "0b7f5f6e-3f0a-4c1e-9d2b-000000000001"
SIGNING_KEY = "sk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Database:
    """The server; `stop` ends it."""

    def __init__(self, binaries: Path, into: Path, cert: Path, key: Path) -> None:
        self.bin, self.dir, self.data = binaries, into, "data"
        into.mkdir()
        (into / "password").write_text(PASSWORD)
        for source, name in ((cert, "server.pem"), (key, "server.key")):
            shutil.copy(source, into / name)
            (into / name).chmod(0o600)
        # Neither the server nor initdb runs as root.
        self.account = account()
        if self.account:
            for path in (into, *into.iterdir()):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        self._run(
            "initdb",
            "-D",
            self.data,
            "-U",
            "postgres",
            "--pwfile=password",
            "-A",
            "scram-sha-256",
            "--locale=C",
            "--no-sync",
        )
        self.port = free_port()
        self.start()
        schema = (REPO / "tests/fixtures/beta9-schema.sql").read_text()
        row = f"('{WORKSPACE}', 'bench', '{SIGNING_KEY}')"
        self.sql(schema + f";INSERT INTO workspace (external_id, name, signing_key) VALUES {row}")
        self.version = self.sql("SHOW server_version").split()[0]

    def url(self, options: str) -> str:
        """As the helper takes it."""
        return f"postgres://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres?{options}"

    def sql(self, text: str) -> str:
        """What psql prints."""
        command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", self.url("sslmode=disable")]
        return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout

    def reconnect(self, options: str) -> float:
        """The seconds that libpq and the server take for a connection and a query, without the start of a process."""
        count, query = 30, "SELECT value FROM workspace_secret;\n"

        def run(lines: str) -> float:
            began = time.monotonic()
            command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", self.url(options)]
            subprocess.run(command, input=lines, check=True, capture_output=True, text=True)
            return time.monotonic() - began

        return (run(("\\c\n" + query) * (count + 1)) - run("\\c\n" + query)) / count

    def start(self) -> None:
        """And waits until it takes connections. It counts statements where it has the module for that."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.dir} -c ssl=on"
        options += f" -c ssl_cert_file={self.dir}/server.pem -c ssl_key_file={self.dir}/server.key"
        if self.counts():
            options += f" -c shared_preload_libraries={COUNTER}"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", "log", "-o", options, "start")

    def counts(self) -> bool:
        """Whether it can."""
        return any((self.bin.parent / "lib").glob(f"{COUNTER}.*"))

    def stop(self) -> None:
        """At once."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def standby(self, name: str = "standby") -> "Database":
        """Another server that follows this one."""
        other = copy.copy(self)
        other.data = name
        other.port = free_port()
        self._run("pg_basebackup", "-D", other.data, "-d", self.url("sslmode=disable"), "-R", "-X", "stream", "-c", "fast")
        other.start()
        return other

    def follow(self, other: "Database") -> None:
        """Waits until the other one has all that this one has."""
        end = self.sql("SELECT pg_current_wal_flush_lsn()").strip()
        while other.sql(f"SELECT coalesce(pg_last_wal_replay_lsn() >= '{end}', false)").strip() != "t":
            time.sleep(0.05)

    def promote(self) -> None:
        """It follows nobody any more."""
        self._run("pg_ctl", "-D", self.data, "-w", "promote")

    def _run(self, program: str, *arguments: str) -> None:
        user = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []} if self.account else {}
        command: List[str] = [str(self.bin / program), *arguments]
        # Into a file: the server that pg_ctl leaves behind would hold a pipe open.
        with open(self.dir / "log.tools", "ab") as log:
            done = subprocess.run(
                command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, **user
            )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {(self.dir / 'log.tools').read_text()[-400:]}")


def free_port() -> int:
    """One that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]  # type: ignore[no-any-return]


def account() -> Optional[pwd.struct_passwd]:
    """Another than root's, where this is root's."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def binaries() -> Optional[Path]:
    """Where initdb is: Debian keeps it where no PATH reaches."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(found).parent for found in [shutil.which("initdb")] if found]
    return next((place for place in places if (place / "initdb").exists()), None)
