"""Makes an image with one small layer by hand: as an OCI image layout, and in a registry that asks for no password.

In the registry it is the tag 1 as an OCI image, and the tag docker in docker's own, older form: docker before 23 finds
no manifest of OCI's. Usage: seed.py LAYOUT_DIR REGISTRY_URL REPOSITORY…
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

OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type: str, data: bytes) -> dict:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def make_blobs() -> tuple:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        file = tarfile.TarInfo("hello.txt")
        file.size = len(b"hello\n")
        tar.addfile(file, io.BytesIO(b"hello\n"))
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer.getvalue())]},
    }
    return json.dumps(config).encode(), gzip.compress(layer.getvalue(), mtime=0)


def make_manifest(types: dict, config: bytes, layer: bytes) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": types["manifest"],
        "config": descriptor(types["config"], config),
        "layers": [descriptor(types["layer"], layer)],
    }
    return json.dumps(manifest).encode()


def write_layout(directory: pathlib.Path, manifest: bytes, blobs: list):
    (directory / "blobs/sha256").mkdir(parents=True)
    for blob in [manifest, *blobs]:
        (directory / "blobs/sha256" / digest(blob).removeprefix("sha256:")).write_bytes(blob)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [descriptor(OCI["manifest"], manifest)]}
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (directory / "index.json").write_text(json.dumps(index))


def send(method: str, url: str, data: bytes = b"", content_type: str = "application/octet-stream"):
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": content_type})
    return urllib.request.urlopen(request)


def upload(registry: str, repository: str, blobs: list):
    for blob in blobs:
        place = send("POST", f"{registry}/v2/{repository}/blobs/uploads/").headers["Location"]
        send("PUT", f"{place}&digest={digest(blob)}", blob)
    for tag, types in (("1", OCI), ("docker", DOCKER)):
        manifest = make_manifest(types, *blobs)
        send("PUT", f"{registry}/v2/{repository}/manifests/{tag}", manifest, types["manifest"])


layout, registry_url, *repositories = sys.argv[1:]
image = make_blobs()
write_layout(pathlib.Path(layout), make_manifest(OCI, *image), list(image))
for name in repositories:
    upload(registry_url, name, list(image))
