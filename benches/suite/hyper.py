"""hyperfine, interleaved: it makes one command's runs in a row, so it is called often, for a few of each."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional


@dataclass
class Case:
    """A command that is measured."""

    name: str
    command: List[str]
    env: Dict[str, str] = field(default_factory=dict)
    input: str = "/dev/null"
    status: int = 0
    prepare: Optional[List[str]] = None
    runs: int = 20
    # What the measuring program itself is started by, such as one that makes a namespace.
    within: List[str] = field(default_factory=list)
    times: List[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.times)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, by the median."""
        low, _, high = statistics.quantiles(self.times, n=4)
        return (high - low) / 2 / self.median

    def check(self) -> "Case":
        """Once, before anything is measured: it does what it is measured for."""
        if self.prepare:
            subprocess.run(self.prepare, check=True)
        with open(self.input, "rb") as text:
            done = subprocess.run(
                [*self.within, *self.command], env=self.env, stdin=text, capture_output=True, check=False
            )
        if done.returncode != self.status:
            said = (done.stdout + done.stderr)[:300].decode(errors="replace")
            raise RuntimeError(f"{self.name}: status {done.returncode} and not {self.status}: {said}")
        return self


def find() -> Optional[str]:
    """The program; 1.20 or newer has all that is needed, Debian's 1.15 lacks --input."""
    for place in (os.environ.get("HYPERFINE"), shutil.which("hyperfine"), str(Path.home() / ".cargo/bin/hyperfine")):
        if place and Path(place).exists():
            said = subprocess.run([place, "--help"], capture_output=True, text=True, check=False).stdout
            if "--input" in said:
                return place
    return None


def measure(cases: List[Case], rounds: int) -> None:
    """Adds this many rounds to the times of each."""
    hyperfine = find() or "hyperfine"
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        for _ in range(rounds):
            for case in cases:
                options = ["-N", "--style", "none", "--warmup", "1", "--runs", str(case.runs), "--input", case.input]
                if case.status:
                    options.append("--ignore-failure")
                if case.prepare:
                    options += ["--prepare", words(case.prepare)]
                command = [*case.within, hyperfine, *options, "--export-json", out.name, words(case.command)]
                done = subprocess.run(command, env=case.env, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise RuntimeError(f"{case.name}: {done.stderr}")
                result = json.loads(Path(out.name).read_text())["results"][0]
                bad = [code for code in result["exit_codes"] if code != case.status]
                if bad:
                    raise RuntimeError(f"{case.name}: {len(bad)} runs ended with status {bad[0]} and not {case.status}")
                case.times += result["times"]


def words(command: List[str]) -> str:
    """As hyperfine -N takes a command apart."""
    quoted = []
    for word in command:
        assert "'" not in word, word
        quoted.append(f"'{word}'" if not word or set(word) & set(' "*?\\$') else word)
    return " ".join(quoted)
