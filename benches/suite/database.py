"""A real PostgreSQL on loopback with Beta9's tables, SCRAM and TLS, for as long as the run lasts."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import List, Optional

REPO = Path(__file__).resolve().parent.parent.parent
PASSWORD = "bench-password"
WORKSPACE = "0b7f5f6e-3f0a-4c1e-9d2b-000000000001"
SIGNING_KEY = "sk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Database:
    """The server; `stop` ends it."""

    def __init__(self, binaries: Path, into: Path, cert: Path, key: Path) -> None:
        self.bin, self.dir = binaries, into
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
            "data",
            "-U",
            "postgres",
            "--pwfile=password",
            "-A",
            "scram-sha-256",
            "--locale=C",
            "--no-sync",
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={into} -c ssl=on"
        options += f" -c ssl_cert_file={into}/server.pem -c ssl_key_file={into}/server.key"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
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

    def stop(self) -> None:
        """At once."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

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
