"""A hand-made OCI image of one layer, pushed straight into docker-registry.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
"""

import gzip
import hashlib
import http.client
import io
import json
import tarfile
from typing import Tuple
from urllib.parse import urlsplit

from .upstream import REGISTRY_PORT

# Enough path segments for every provider: Artifact Registry wants project/repository/image.
REPOSITORIES = ("team/app", "world-project/images/app")
TAG = "1"
MEDIA = "application/vnd.oci.image"


def push() -> str:
    """Push the image into every repository; its digest is returned."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as layer:
        content = b"hello from a private registry\n"
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(content)
        layer.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(archive.getvalue(), mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive.getvalue())]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": {"mediaType": f"{MEDIA}.config.v1+json", "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": f"{MEDIA}.layer.v1.tar+gzip", "digest": _digest(packed), "size": len(packed)}],
        }
    ).encode()
    for repository in REPOSITORIES:
        for blob in (packed, config):
            _, location = _send("POST", f"/v2/{repository}/blobs/uploads/", b"")
            target = urlsplit(location)
            _send("PUT", f"{target.path}?{target.query}&digest={_digest(blob)}", blob)
        _send("PUT", f"/v2/{repository}/manifests/{TAG}", manifest, f"{MEDIA}.manifest.v1+json")
    return _digest(manifest)


def _send(method: str, target: str, body: bytes, kind: str = "application/octet-stream") -> Tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", REGISTRY_PORT, timeout=30)
    try:
        connection.request(method, target, body, {"Content-Type": kind})
        answer = connection.getresponse()
        if answer.status not in (201, 202):
            raise RuntimeError(f"docker-registry answered {answer.status} to {method} {target}")
        return answer.status, answer.getheader("Location", "")
    finally:
        connection.close()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
