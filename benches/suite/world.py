"""What is measured: servers on loopback, nodes with secrets and tokens, and a command for each line."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Optional

from . import database, providers
from .floor import Floor
from .growth import HOSTS, cache_nodes
from .hyper import Case
from .machine import settle
from .node import ECR, FOREIGN, HUB, KEY_ID, SECRET_KEY, Node, ecr_rule
from .peers import Peers

BLOB = json.dumps({"registry": HUB, "type": "basic", "credentials": {"USERNAME": "octo", "PASSWORD": "s3cret-token"}})
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
AWS_BLOB = json.dumps({"registry": ECR, "type": "aws", "credentials": KEYS})
# The default bound of the cache.
FULL_CACHE = 1024
POSTGRES = {"plain": "sslmode=disable", "TLS": "sslmode=require"}


class World:
    """All of it; `stop` ends what runs."""

    def __init__(self, helper: str, scratch: Path, variants: Dict[str, str], small: bool) -> None:
        self.helper, self.scratch, self.variants = helper, scratch, variants
        self.full_cache, self.many_hosts = (64, 200) if small else (FULL_CACHE, HOSTS[-1])
        self.floor = Floor(scratch)
        for program in (helper, *variants.values(), str(self.floor.c), str(self.floor.rust)):
            settle(program)
        self.cases: Dict[str, Case] = {}
        self.peers: Optional[Peers] = None
        self.authority = providers.Authority(scratch)
        tls = self.authority.context()
        self.ecr, self.ecr_plain = (providers.Server(providers.ecr, context) for context in (tls, None))
        secret = providers.gateway(BLOB, "oci-registry-ghcr-io")
        self.gateway, self.gateway_plain = (providers.Server(secret, context) for context in (tls, None))
        nobody = scratch / "no-authorities"
        nobody.mkdir()
        one = {"SSL_CERT_FILE": str(self.authority.ca), "SSL_CERT_DIR": str(nobody)}
        self.trust: Dict[str, Dict[str, object]] = {"one authority": {"env": one}}
        if os.geteuid() == 0:
            self.trust["the system's"] = {"within": self.authority.with_the_systems(scratch)}
        binaries = database.binaries()
        files = (self.authority.cert, self.authority.key)
        self.database = database.Database(binaries, scratch / "postgres", *files) if binaries else None

    def node(self, name: str, config: str = "", **variables: str) -> Node:
        """A new one."""
        return Node(self.helper, self.scratch / "nodes" / name, config, **variables)

    def fill(self) -> None:
        """Makes the nodes and the commands, each of which is checked once."""
        self._floor()
        self._hot()
        self._full()
        self._stores()
        self._mints()
        if self.database:
            self._postgres()

    def spawn(self, case: Case, how: str, count: int, core: Optional[int] = None) -> Dict[str, float]:
        """What many of them took."""
        pin = ["taskset", "-c", str(core)] if core is not None else []
        command = [*case.within, *pin, str(self.floor.spawn), how, str(count), case.input, *case.command]
        command[len(case.within)] = shutil.which(command[len(case.within)]) or command[len(case.within)]
        run = json.loads(subprocess.run(command, env=case.env, capture_output=True, check=True).stdout)
        expected = count if case.status else 0
        if run["failed"] != expected:
            raise RuntimeError(f"{case.name}: {run['failed']} of {count} failed")
        return run

    def stop(self) -> None:
        """Ends the services; threads end with this process."""
        if self.peers:
            self.peers.stop()
        if self.database:
            self.database.stop()

    def _add(self, key: str, case: Case) -> Case:
        self.cases[key] = case
        return case

    def _floor(self) -> None:
        self._add("c", Case("C, `return 0`, static", [str(self.floor.c)]).check())
        self._add("rust", Case("Rust, `println!`, static musl", [str(self.floor.rust)]).check())
        self._add("version", Case("`version`", [self.helper, "version"]).check())
        for name, program in self.variants.items():
            self._add(f"version {name}", Case(f"`version`, built {name}", [program, "version"]).check())

    def _hot(self) -> None:
        stored = self.node("stored").store(HUB)
        self._add("stored", stored.case("`get`, static credential, embedded store", HUB))
        self._add("not found", stored.case("`get`, not found, foreign host", FOREIGN, status=1))
        asking = self.node("asking", BETA9_IMAGE_CREDENTIALS=BLOB)
        self._add("request", asking.case("`get`, request credentials", HUB))
        cached = self.node("cached").provision().cache_tokens(1, **self.authority.amazon())
        case = self._add("cached", cached.case("`get`, cached ECR token, embedded store", ECR))
        ruled = self.node("ruled", ecr_rule(self.ecr_plain.url)).provision().cache_tokens(1)
        self._add("ruled", ruled.case(f"{case.name}, a rule for it in the configuration", ECR))
        for name, program in self.variants.items():
            for key in ("stored", "cached"):
                same = self.cases[key]
                built = Case(f"{same.name}, built {name}", [program, "get"], same.env, same.input)
                self._add(f"{key} {name}", built.check())

    def _full(self) -> None:
        counts: List[int] = [count for count in HOSTS if count <= self.many_hosts]
        self.hosts = {count: self.node(f"hosts-{count}").store_hosts(count) for count in counts}
        self.tokens = cache_nodes(self.node, self.ecr_plain.url, self.full_cache)
        most = max(self.hosts)
        for name, host in (("stored", HUB), ("ruled", ECR)):
            node = self.hosts[most] if name == "stored" else self.tokens[self.full_cache]
            what = f"{most:,} stored hosts" if name == "stored" else f"{self.full_cache:,} cached tokens"
            self._add(f"{name} full", node.case(f"{self.cases[name].name}, with {what}", host))

    def _stores(self) -> None:
        token = {"BETA9_STORE": "gateway", "BETA9_TOKEN": "bench-token"}
        plain = self.node("gateway-plain", BETA9_GATEWAY_URL=self.gateway_plain.url, **token)
        self._add("gateway plain", plain.case("`get`, gateway store, plain, warm", HUB))
        for number, (name, how) in enumerate(self.trust.items()):
            node = self.node(f"gateway-{number}", BETA9_GATEWAY_URL=self.gateway.url, **token, **how.get("env", {}))
            within = how.get("within", [])
            self._add(f"gateway {name}", node.case(f"`get`, gateway store, TLS ({name}), warm", HUB, within=within))

    def _mints(self) -> None:
        """Without the cache and with it; over TLS, trusting one authority or the system's, and without TLS."""
        cold = {"BETA9_CACHE": "off", "BETA9_IMAGE_CREDENTIALS": AWS_BLOB}
        plain = self.node("mint-plain", ecr_rule(self.ecr_plain.url), **cold)
        self._add("mint plain", plain.case("mint, plain HTTP, no cache", ECR, runs=10))
        for number, (name, how) in enumerate(self.trust.items()):
            env, within = how.get("env", {}), how.get("within", [])
            node = self.node(f"mint-{number}", ecr_rule(self.ecr.url), **cold, **env)
            self._add(f"mint {name}", node.case(f"mint, TLS ({name}), no cache", ECR, runs=10, within=within))
            kept = self.node(f"cold-{number}", ecr_rule(self.ecr.url), **env).provision()
            tokens = str(kept.home / ".cache/beta9/tokens")
            prepare = ["find", tokens, "-name", "*.token", "-delete"]
            Path(tokens).mkdir(parents=True, mode=0o700)
            case = kept.case(
                f"cold mint, TLS ({name}), kept in the cache", ECR, runs=10, within=within, prepare=prepare
            )
            self._add(f"cold {name}", case)

    def _postgres(self) -> None:
        assert self.database
        for name, options in POSTGRES.items():
            url = self.database.url(options)
            variables = {"BETA9_STORE": "postgres", "BETA9_DATABASE_URL": url, "BETA9_WORKSPACE_ID": database.WORKSPACE}
            node = self.node(f"postgres-{name}", **variables).store(HUB)
            self._add(f"postgres {name}", node.case(f"`get`, PostgreSQL, {name}, SCRAM", HUB, runs=10))
