"""Making IAM users in moto, and reading its XML."""

import http.client
import re
import urllib.parse
from typing import Dict

from .sigv4 import AccessKey
from .state import State
from .upstream import MOTO_PORT


def create_user(state: State, name: str) -> AccessKey:
    """An IAM user with an access key, made through moto's own IAM."""
    _iam({"Action": "CreateUser", "UserName": name})
    made = _iam({"Action": "CreateAccessKey", "UserName": name})
    key = AccessKey(
        xml_value(made, "AccessKeyId"), xml_value(made, "SecretAccessKey"), f"arn:aws:iam::123456789012:user/{name}"
    )
    state.access_keys[key.key_id] = key
    return key


def xml_value(document: str, tag: str) -> str:
    """The text of an element that occurs once."""
    found = re.search(f"<{tag}>([^<]*)</{tag}>", document)
    return found[1] if found else ""


def _iam(parameters: Dict[str, str]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", MOTO_PORT, timeout=60)
    try:
        connection.request(
            "POST",
            "/",
            urllib.parse.urlencode({**parameters, "Version": "2010-05-08"}),
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Host": "iam.amazonaws.com",
                "Authorization": "AWS4-HMAC-SHA256 Credential=root/20200101/us-east-1/iam/aws4_request, "
                "SignedHeaders=host, Signature=0",
            },
        )
        return connection.getresponse().read().decode()
    finally:
        connection.close()
