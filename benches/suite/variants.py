"""The release binary as it is built, and the same at a fixed address or position-independent, for the same run."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Optional

TARGET = "x86_64-unknown-linux-musl"
MODELS = {"position-independent": "pic", "at a fixed address": "static"}


class Variants:
    """What was built last, and how long it took."""

    def __init__(self, repo: Path) -> None:
        self.repo, self.dir = repo, repo / "target/bench-variants"
        self.note = repo / "benches/build.json"

    def build(self) -> None:
        """A clean release build, timed, and one more that differs in its relocation model only."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        target = self.dir / "target"
        for index, (name, model) in enumerate(MODELS.items()):
            command = self.command(model)
            began = time.monotonic()
            subprocess.run(command, cwd=self.repo, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
            if index == 0:
                took = {
                    "seconds": round(time.monotonic() - began),
                    "command": " ".join(command),
                    "cores": os.cpu_count(),
                }
                self.note.write_text(json.dumps({**took, "when": time.strftime("%Y-%m-%d")}))
            shutil.copy(target / TARGET / "release/docker-credential-beta9", self.binary(name))
        shutil.rmtree(target)

    @staticmethod
    def command(model: str) -> List[str]:
        """What is in .cargo/config.toml stays; the last word on the relocation model counts."""
        flags = f'target.{TARGET}.rustflags=["-C", "relocation-model={model}"]'
        return [
            "cargo",
            "build",
            "--release",
            "--locked",
            "--bin",
            "docker-credential-beta9",
            "--target",
            TARGET,
            "--config",
            flags,
        ]

    def binary(self, name: str) -> Path:
        """The one of this model."""
        return self.dir / name.replace(" ", "-")

    def built(self) -> Dict[str, str]:
        """Those that there are."""
        return {name: str(self.binary(name)) for name in MODELS if self.binary(name).exists()}

    def last(self) -> Optional[Dict[str, object]]:
        """How long the last clean build took."""
        return json.loads(self.note.read_text()) if self.note.exists() else None
