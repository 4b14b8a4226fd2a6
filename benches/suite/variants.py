"""The program as others than packaging/release build it, for the same run."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

TARGET = "x86_64-unknown-linux-musl"


HOST = "x86_64-unknown-linux-gnu"
BY_INSTALL = "by install.sh"


class Build(NamedTuple):
    """What tells one build from the others."""

    target: str = TARGET
    compiler: str = "cc"
    # In place of packaging/rust-lld, which puts the functions in order.
    linker: str = ""
    # Beside those in .cargo/config.toml, of which the last word on the relocation model counts.
    flags: Tuple[str, ...] = ()


# Those of install.sh are what it runs: with all it needs, with musl's compiler, without Rust's musl target.
BUILDS = {
    BY_INSTALL: Build(),
    f"{BY_INSTALL}, with CC=musl-gcc": Build(compiler="musl-gcc"),
    f"{BY_INSTALL}, for the machine's C library": Build(HOST),
    "without the order of functions": Build(linker="rust-lld"),
    "without that order, position-independent": Build(linker="rust-lld", flags=("relocation-model=pic",)),
}


class Variants:
    """What was built last, and how long it took."""

    def __init__(self, repo: Path) -> None:
        self.repo, self.dir = repo, repo / "target/bench-variants"
        self.note = repo / "benches/build.json"

    def build(self) -> None:
        """Each from nothing but what is common to them; the first one is timed."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        for index, (name, build) in enumerate(BUILDS.items()):
            command, began = self.command(build), time.monotonic()
            env = {"CARGO_TARGET_DIR": str(self.dir / "target"), f"CC_{TARGET.replace('-', '_')}": build.compiler}
            subprocess.run(command, cwd=self.repo, env={**os.environ, **env}, check=True)
            if index == 0:
                took = {
                    "seconds": round(time.monotonic() - began),
                    "command": " ".join(command),
                    "cores": os.cpu_count(),
                }
                self.note.write_text(json.dumps({**took, "when": time.strftime("%Y-%m-%d")}))
            shutil.copy(self.dir / "target" / build.target / "release/docker-credential-beta9", self.binary(name))
        shutil.rmtree(self.dir / "target")

    @staticmethod
    def command(build: Build) -> List[str]:
        """As install.sh gives it."""
        command = ["cargo", "build", "--release", "--locked", "--bin", "docker-credential-beta9"]
        command += ["--target", build.target]
        flags = [word for flag in build.flags for word in ("-C", flag)]
        for name, value in (("linker", build.linker), ("rustflags", flags)):
            command += ["--config", f"target.{build.target}.{name}={json.dumps(value)}"] if value else []
        return command

    def binary(self, name: str) -> Path:
        """The one of this name."""
        return self.dir / "".join(letter if letter.isalnum() else "-" for letter in name)

    def built(self) -> Dict[str, str]:
        """Those that there are."""
        return {name: str(self.binary(name)) for name in BUILDS if self.binary(name).exists()}

    def last(self) -> Optional[Dict[str, object]]:
        """How long the last clean build took."""
        return json.loads(self.note.read_text()) if self.note.exists() else None
