"""JSON Web Tokens signed with RS256 (RFC 7515, RFC 7519): all three providers exchange them."""

import base64
import json
import time
import uuid
from typing import Any, Dict

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class Invalid(Exception):
    """Not a JWT, or not one this key signed. `expired` and the audience are the caller's business."""


class Issuer:
    """Somebody who signs tokens: an identity provider, a service account, Entra, a registry."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key_id = uuid.uuid4().hex
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: Dict[str, Any]) -> str:
        """A token with these claims, exactly."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        signed = f"{_encode(json.dumps(head).encode())}.{_encode(json.dumps(claims).encode())}"
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(signature)}"

    def issue(self, seconds: float = 3600, **claims: Any) -> str:
        """A token of this issuer, valid for so many seconds from now."""
        now = int(time.time())
        return self.sign(
            {"iss": self.name, "iat": now, "nbf": now, "exp": now + int(seconds), "jti": str(uuid.uuid4()), **claims}
        )

    def verify(self, token: str) -> Dict[str, Any]:
        """The claims of a token, when this issuer's key signed it."""
        try:
            signed, _, signature = token.rpartition(".")
            head, claims = (json.loads(_decode(part)) for part in signed.split("."))
            if head.get("alg") != "RS256":
                raise Invalid("the algorithm is not RS256")
            self.key.public_key().verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as wrong:
            raise Invalid("the signature does not verify") from wrong
        except ValueError as malformed:
            raise Invalid("not a JWT") from malformed
        return claims

    @property
    def private_pem(self) -> str:
        """The private key as service-account files hold it."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def audiences(claims: Dict[str, Any]) -> list:
    """`aud` is one string or a list of them (RFC 7519, 4.1.3)."""
    found = claims.get("aud", [])
    return found if isinstance(found, list) else [found]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
