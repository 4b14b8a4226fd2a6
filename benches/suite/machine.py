"""What the figures depend on: the machine, and the versions of what takes part."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import List


def said(*command: str) -> str:
    """The first line of what a command prints; nothing where there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ((done.stdout or done.stderr).splitlines() or [""])[0].strip()


def settle(program: str) -> None:
    """Lets the kernel forget what it has of a program's file, so that it reads it as on any machine that has been up for a
    while. What was just written lies in memory in large blocks, and newer kernels map and count each as a whole."""
    with open(program, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def describe(hyperfine: str, helper: str, postgres: str) -> List[str]:
    """Lines of a list."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    gib = int(memory[1]) / 2**20 if memory else 0
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    versions = [
        said(hyperfine, "--version"),
        said("rustc", "--version"),
        said("cc", "--version"),
        f"PostgreSQL {postgres}",
    ]
    return [
        f"machine: {model[1] if model else platform.machine()}, {os.cpu_count()} cores, {gib:.0f} GiB; "
        f"Linux {platform.release()}; load before the run {load}",
        f"versions: {'; '.join(version for version in versions if version)}; Python {platform.python_version()}",
        f"helper: {said(helper, 'version')}, {os.path.getsize(helper):,} bytes, {linkage(helper)}"
        + (
            f"; commit {commit}"
            if (commit := said("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"))
            else ""
        ),
    ]


def linkage(program: str) -> str:
    """Static or not, position-independent or not."""
    headers = subprocess.run(["readelf", "-hlW", program], capture_output=True, text=True, check=True).stdout
    kind = "position-independent" if "DYN (" in headers else "at a fixed address"
    return f"{'dynamic' if 'INTERP' in headers else 'static'}, {kind}"
