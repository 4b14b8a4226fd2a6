"""Serve the world: `python -m fakes DIR`, inside the namespaces that `world` makes.

Writes into DIR what the clients need: `ca.pem`, `hosts`, the credential files, and last, when everything answers,
`variables`.
"""

import socket
import sys
import threading
import time
from pathlib import Path

from . import (
    aws_ecr,
    aws_metadata,
    aws_sts,
    azure_entra,
    azure_metadata,
    azure_registry,
    google,
    google_metadata,
    hosts,
    image,
    moto,
    names,
    registries,
    strangers,
    variables,
)
from .calls import Calls
from .certificates import Authority, server_contexts
from .control import Control
from .faults import Faults
from .server import Server
from .state import State
from .upstream import MOTO_PORT, REGISTRY_PORT

PATIENCE = 60
CONTROL_PORT = 9000


def main(scratch: Path) -> None:
    """Start everything, write what clients need, and serve until killed."""
    authority = Authority("The world's certificate authority")
    (scratch / "ca.pem").write_bytes(authority.pem)
    (scratch / "hosts").write_text(hosts.hosts_file())
    state, calls, faults = State(), Calls(), Faults()

    public = [
        fake(state)
        for fake in (
            aws_ecr.Ecr,
            aws_ecr.EcrPublic,
            aws_sts.Sts,
            google.OAuth,
            google.SecurityTokens,
            google.IamCredentials,
            azure_entra.Entra,
            azure_registry.AzureRegistry,
            registries.EcrRegistry,
            registries.EcrPublicRegistry,
            registries.GoogleRegistry,
            strangers.WorkloadIssuer,
        )
    ] + [strangers.Stranger()]
    link_local = [
        fake(state)
        for fake in (
            aws_metadata.Imds,
            aws_metadata.Ecs,
            aws_metadata.Eks,
            azure_metadata.ManagedIdentity,
            google_metadata.Metadata,
        )
    ]

    names.serve(state)
    contexts = server_contexts(authority, hosts.LOOPBACK_NAMES, scratch)
    _serve(Server("127.0.0.1", 443, public, calls, faults, contexts))
    for address in (hosts.METADATA_ADDRESS, hosts.ECS_ADDRESS, hosts.EKS_ADDRESS):
        _serve(Server(address, 80, link_local, calls, faults))
    _serve(Server("127.0.0.1", CONTROL_PORT, [Control(state, calls, faults)]))

    _wait_for(REGISTRY_PORT)
    digest = image.push()
    _wait_for(MOTO_PORT)
    user, other = moto.create_user(state, "tenant"), moto.create_user(state, "neighbour")

    found = variables.write(state, scratch, user, other, digest)
    unfinished = scratch / "variables.new"
    unfinished.write_text("".join(f"{name}={value}\n" for name, value in found.items()))
    unfinished.rename(scratch / "variables")
    threading.Event().wait()


def _serve(server: Server) -> None:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 3600}, daemon=True).start()


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


main(Path(sys.argv[1]))
