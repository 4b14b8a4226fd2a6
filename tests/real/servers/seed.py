"""Makes an OCI image layout with one small layer by hand and puts it into a registry that asks for no password.

Usage: seed.py LAYOUT_DIR REGISTRY_URL REPOSITORY:TAG…
"""

import gzip
import hashlib
import io
import json
import pathlib
import platform
import sys
import tarfile
import urllib.request

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type: str, data: bytes) -> dict:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def make_image() -> tuple:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        file = tarfile.TarInfo("hello.txt")
        file.size = len(b"hello\n")
        tar.addfile(file, io.BytesIO(b"hello\n"))
    zipped = gzip.compress(layer.getvalue(), mtime=0)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer.getvalue())]},
    }
    config = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", zipped)],
    }
    return json.dumps(manifest).encode(), [config, zipped]


def write_layout(directory: pathlib.Path, manifest: bytes, blobs: list):
    (directory / "blobs/sha256").mkdir(parents=True)
    for blob in [manifest, *blobs]:
        (directory / "blobs/sha256" / digest(blob).removeprefix("sha256:")).write_bytes(blob)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [descriptor(MANIFEST_TYPE, manifest)]}
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (directory / "index.json").write_text(json.dumps(index))


def send(method: str, url: str, data: bytes = b"", content_type: str = "application/octet-stream"):
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": content_type})
    return urllib.request.urlopen(request)


def upload(registry: str, repository: str, tag: str, manifest: bytes, blobs: list):
    for blob in blobs:
        place = send("POST", f"{registry}/v2/{repository}/blobs/uploads/").headers["Location"]
        send("PUT", f"{place}&digest={digest(blob)}", blob)
    send("PUT", f"{registry}/v2/{repository}/manifests/{tag}", manifest, MANIFEST_TYPE)


image_manifest, image_blobs = make_image()
write_layout(pathlib.Path(sys.argv[1]), image_manifest, image_blobs)
for reference in sys.argv[3:]:
    name, _, version = reference.rpartition(":")
    upload(sys.argv[2], name, version, image_manifest, image_blobs)
