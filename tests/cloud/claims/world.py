"""The world seen from inside: its variables, its control endpoint, and a pull with skopeo."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional


class Skip(Exception):
    """The claim cannot be tried on this machine."""


def variable(name: str) -> str:
    """A variable of the world, without its prefix."""
    return os.environ[f"WORLD_{name}"]


def content(name: str) -> str:
    """The content of the file a variable names."""
    return Path(variable(name)).read_text()


@contextlib.contextmanager
def environment(**names: str) -> Iterator[None]:
    """Variables the SDKs read, for the time of a block."""
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def control(path: str, value: Any = None) -> Any:
    """Ask or tell the control endpoint."""
    data = None if value is None else json.dumps(value).encode()
    with urllib.request.urlopen(urllib.request.Request(variable("CONTROL") + path, data)) as answer:
        return json.load(answer)


def reset() -> None:
    """A world as new, but for minted tokens and keys."""
    control("/reset", {})


def settings(**changed: Any) -> None:
    """Change settings until the next reset."""
    control("/settings", changed)


def order(host: str, mode: str, **more: Any) -> None:
    """Order a fault."""
    control("/control", {"host": host, "mode": mode, **more})


def calls(**wanted: str) -> List[Dict[str, Any]]:
    """The recorded calls with these fields."""
    return control("/calls?" + urllib.parse.urlencode(wanted))


def signed(by: str = "workload", seconds: int = 3600, **claims: Any) -> str:
    """A token of the workload's issuer, or of an impostor."""
    return control("/token", {"by": by, "seconds": seconds, "claims": claims})["token"]


def http(method: str, url: str, form: Optional[Dict[str, str]] = None, **headers: str) -> "Answer":
    """A plain request, where no client of the provider would send what is to be tried."""
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as problem:
        return Answer(problem.code, problem.read(), problem.headers)


class Answer:
    """Status, text and headers of an answer."""

    def __init__(self, status: int, body: bytes, headers: Any) -> None:
        self.status, self.text, self.headers = status, body.decode(), headers

    @property
    def json(self) -> Dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.text)


def pull(registry: str, user: str, password: str, image: str = "IMAGE") -> str:
    """What skopeo says to an image: its digest, or the error."""
    if shutil.which("skopeo") is None:
        raise Skip("skopeo is not installed")
    done = subprocess.run(
        [
            "skopeo",
            "inspect",
            "--no-tags",
            "--format",
            "{{.Digest}}",
            "--creds",
            f"{user}:{password}",
            f"docker://{registry}/{variable(image)}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip()


def check_pull(registry: str, user: str, password: str, image: str = "IMAGE") -> None:
    """The pull must work with this credential and with no other."""
    digest = pull(registry, user, password, image)
    assert digest == variable("IMAGE_DIGEST"), digest
    for other in (password + "x", "wrong"):
        answer = pull(registry, user, other, image)
        assert "unauthorized" in answer.lower() or "invalid username/password" in answer.lower(), answer
