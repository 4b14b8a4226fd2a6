"""Gets what is measured with and against: packages as root, today's peers with Go, hyperfine with cargo."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Optional

from . import hyper
from .peers import GO_TOOLS, PACKAGES

TOOLS = "gcc musl-tools binutils openssl strace valgrind util-linux postgresql"


def install(go_bin: Path) -> None:
    """Whatever fails here is named later, where it is missing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        attempt(["apt-get", "update", "-qq"])
        for package in f"{TOOLS} {PACKAGES}".split():
            attempt(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], quiet)
    if hyper.find() is None:
        attempt(["cargo", "install", "--locked", "hyperfine", "--version", "1.20.0"])
    if shutil.which("go"):
        go_bin.mkdir(parents=True, exist_ok=True)
        for module in GO_TOOLS.values():
            attempt(["go", "install", module], {"GOBIN": str(go_bin.resolve())})


def attempt(command: List[str], more: Optional[Dict[str, str]] = None) -> None:
    """Says what is done, and how it ends if it fails."""
    done = subprocess.run(command, env={**os.environ, **(more or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"benches/run: {' '.join(command)}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
