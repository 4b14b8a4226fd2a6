"""What all fakes share: settings a test may change, minted tokens, access keys, and the signers of tokens."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Dict, Optional

from .jwt import Issuer
from .sigv4 import AccessKey

ACCOUNT = "123456789012"

# What POST /settings may change; POST /reset brings these back.
DEFAULTS: Dict[str, Any] = {
    "ecr_token_seconds": 12 * 3600,
    "ecr_proxy_endpoint": "",  # not empty: what ECR answers instead of the true one
    "google_token_seconds": 3599,
    "entra_token_seconds": 3599,
    "acr_token_seconds": 3 * 3600,
    "acr_accepts_arm": True,  # the registry's authentication-as-arm policy
    "aws_clock_offset": 0,  # seconds the clock of AWS is ahead of ours
    "aws_denied": [],  # ARNs of principals, access key ids, or actions
    "aws_session_seconds": 3600,  # life of what IMDS, ECS and EKS hand out
    "silent_names": False,  # the name server takes questions and answers nothing
    "metadata": ["aws", "google", "azure"],  # whose metadata service answers at 169.254.169.254
}

SIZES = {"ecr": 1800, "ecr-public": 1800, "google": 700}  # bytes before base64


@dataclass
class Token:
    """A token some fake minted: what it is good for, and until when."""

    kind: str
    scope: str
    expires: float
    subject: str = ""


class Tokens:
    """Every minted token that is not a JWT."""

    def __init__(self) -> None:
        self._tokens: Dict[str, Token] = {}

    def mint(self, prefix: str, kind: str, scope: str, seconds: float, subject: str = "") -> str:
        """A new token; `prefix` makes it look like the provider's, and so does its length."""
        text = prefix + secrets.token_urlsafe(SIZES.get(kind, 96))
        self._tokens[text] = Token(kind, scope, time.time() + seconds, subject)
        return text

    def find(self, text: str, kind: str) -> Optional[Token]:
        """The token, if it was minted here, is of this kind and has not expired."""
        token = self._tokens.get(text)
        return token if token and token.kind == kind and token.expires > time.time() else None

    def has_expired(self, text: str) -> bool:
        """Whether this was a good token once."""
        token = self._tokens.get(text)
        return token is not None and token.expires <= time.time()


class State:
    """Created once; handed to every fake."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tokens = Tokens()
        self.access_keys: Dict[str, AccessKey] = {}
        self.settings: Dict[str, Any] = {}
        self.reset()
        names = {
            "workload": "https://oidc.world.test",  # the cluster's issuer, which all three clouds federate with
            "stranger": "https://oidc.world.test",  # claims to be the same issuer, signs with another key
            "service_account": "puller@world-project.iam.gserviceaccount.com",
            "entra": "Entra",
            "acr": "Azure Container Registry",
        }
        with ThreadPoolExecutor() as pool:  # making RSA keys is most of the start-up time
            self.issuers = dict(zip(names, pool.map(Issuer, names.values())))

    def reset(self) -> None:
        """Back to the defaults. Tokens and keys stay good: a test may still hold them."""
        self.settings = {key: list(value) if isinstance(value, list) else value for key, value in DEFAULTS.items()}

    def add_session(self, principal: str, seconds: float) -> AccessKey:
        """A session's access key as AWS would hand it out."""
        key = AccessKey(
            "ASIA" + secrets.token_hex(8).upper(),
            secrets.token_urlsafe(30),
            principal,
            "IQoJ" + secrets.token_urlsafe(120),
            time.time() + seconds,
        )
        self.access_keys[key.key_id] = key
        return key
