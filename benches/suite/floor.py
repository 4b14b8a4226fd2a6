"""The floor: the least programs there can be, built from source in the same run, and the program that starts others."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent / "floor"


class Floor:
    """Where the built programs are."""

    def __init__(self, into: Path) -> None:
        self.c = into / "return0"
        self.rust = into / "hello"
        self.spawn = into / "spawn"
        self.commands = [
            ["cc", "-O2", "-static", "-o", str(self.c), str(HERE / "return0.c")],
            ["musl-gcc", "-O2", "-static", "-o", str(self.spawn), str(HERE / "spawn.c")],
            [
                "rustc",
                "--edition",
                "2024",
                "--target",
                "x86_64-unknown-linux-musl",
                "-O",
                "-C",
                "lto=fat",
                "-C",
                "panic=abort",
            ]
            + ["-C", "codegen-units=1", "-C", "strip=symbols", "-o", str(self.rust), str(HERE / "hello.rs")],
        ]
        for command in self.commands:
            subprocess.run(command, check=True)
