"""What the world hands to the program under test: credentials of every kind, as files and variables.

The names begin with WORLD_ so that no SDK takes one for its own: a test decides what the program may see.

Formats of Google's files: https://google.aip.dev/auth/4112 (service account), …/4113 (authorized user), …/4117
(external account), https://cloud.google.com/docs/authentication/use-service-account-impersonation
"""

import json
from pathlib import Path
from typing import Any, Dict

from . import aws_metadata, aws_sts, azure_entra, azure_metadata, google, google_metadata, image
from .hosts import ECS_ADDRESS, EKS_ADDRESS, METADATA_ADDRESS, WORKLOAD_ISSUER
from .sigv4 import AccessKey
from .state import ACCOUNT, State

CONTROL = "http://127.0.0.1:9000"  # see CONTROL_PORT


def write(state: State, scratch: Path, user: AccessKey, other: AccessKey, digest: str) -> Dict[str, str]:
    """Write the files; the variables are returned."""
    files = {f"WORLD_{name}": str(_write(scratch / name.lower(), content)) for name, content in _files(state).items()}
    return {
        **files,
        "WORLD_CONTROL": CONTROL,
        "WORLD_DIR": str(scratch),
        "WORLD_HOSTS": "/etc/hosts",
        "WORLD_IMAGE_DIGEST": digest,
        "WORLD_AWS_ACCOUNT": ACCOUNT,
        "WORLD_AWS_ACCESS_KEY_ID": user.key_id,
        "WORLD_AWS_SECRET_ACCESS_KEY": user.secret,
        "WORLD_AWS_PRINCIPAL": user.principal,
        "WORLD_AWS_OTHER_ACCESS_KEY_ID": other.key_id,
        "WORLD_AWS_OTHER_SECRET_ACCESS_KEY": other.secret,
        "WORLD_AWS_ROLE": f"{aws_sts.ROLE}/puller",
        "WORLD_AWS_EXTERNAL_ID_ROLE": f"{aws_sts.ROLE}/partner",
        "WORLD_AWS_EXTERNAL_ID": aws_sts.TRUST[f"{aws_sts.ROLE}/partner"].external_id,
        "WORLD_AWS_CHAINED_ROLE": f"{aws_sts.ROLE}/chained",
        "WORLD_AWS_NODE_ROLE": f"{aws_sts.ROLE}/from-node",
        "WORLD_AWS_WEB_ROLE": aws_sts.WEB_ROLE,
        "WORLD_ECS_CREDENTIALS_URI": f"http://{ECS_ADDRESS}{aws_metadata.ECS_PATH}",
        "WORLD_EKS_CREDENTIALS_URI": f"http://{EKS_ADDRESS}{aws_metadata.EKS_PATH}",
        "WORLD_METADATA_ADDRESS": METADATA_ADDRESS,
        "WORLD_GOOGLE_ACCOUNT": state.issuers["service_account"].name,
        "WORLD_GOOGLE_NODE_ACCOUNT": google_metadata.EMAIL,
        "WORLD_GOOGLE_IMPERSONATED": google.IMPERSONATED,
        "WORLD_AZURE_TENANT_ID": azure_entra.TENANT,
        "WORLD_AZURE_CLIENT_ID": azure_entra.CLIENT_ID,
        "WORLD_AZURE_CLIENT_SECRET": azure_entra.CLIENT_SECRET,
        "WORLD_AZURE_WORKLOAD_CLIENT_ID": azure_entra.WORKLOAD_CLIENT_ID,
        "WORLD_AZURE_USER_ASSIGNED_CLIENT_ID": azure_metadata.USER_CLIENT_ID,
        "WORLD_AZURE_USER_ASSIGNED_RESOURCE_ID": azure_metadata.USER_RESOURCE_ID,
        "WORLD_IMAGE": f"{image.REPOSITORIES[0]}:{image.TAG}",
        "WORLD_LONG_IMAGE": f"{image.REPOSITORIES[1]}:{image.TAG}",
    }


def _files(state: State) -> Dict[str, Any]:
    account, workload = state.issuers["service_account"], state.issuers["workload"]
    pool = f"{google.POOL}/providers"
    google_token = workload.issue(sub=google.WORKLOAD_SUBJECT, aud=f"https:{pool}/oidc")
    external = {
        "type": "external_account",
        "audience": f"{pool}/oidc",
        "subject_token_type": f"{google.TYPE}jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "universe_domain": "googleapis.com",
    }
    impersonation = (
        f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{google.IMPERSONATED}:generateAccessToken"
    )
    user = {
        "type": "authorized_user",
        "client_id": google.CLIENT_ID,
        "client_secret": google.CLIENT_SECRET,
        "refresh_token": google.REFRESH_TOKEN,
        "universe_domain": "googleapis.com",
    }
    from_url = {
        "url": f"https://{WORKLOAD_ISSUER}/token",
        "headers": {"Authorization": "Bearer pod"},
        "format": {"type": "json", "subject_token_field_name": "id_token"},
    }
    metadata = f"http://{METADATA_ADDRESS}/latest"
    from_aws = {
        "environment_id": "aws1",
        "region_url": f"{metadata}/meta-data/placement/availability-zone",
        "url": f"{metadata}/meta-data/iam/security-credentials",
        "imdsv2_session_token_url": f"{metadata}/api/token",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    }
    return {
        "AWS_WEB_TOKEN_FILE": workload.issue(sub=aws_sts.WEB_SUBJECT, aud=[aws_sts.WEB_AUDIENCE]),
        "EKS_TOKEN_FILE": workload.issue(sub=aws_sts.WEB_SUBJECT, aud=[aws_metadata.POD_AUDIENCE]),
        "AZURE_FEDERATED_TOKEN_FILE": workload.issue(
            sub=azure_entra.WORKLOAD_SUBJECT, aud=[azure_entra.ASSERTION_AUDIENCE]
        ),
        "GOOGLE_SERVICE_ACCOUNT_FILE": {
            "type": "service_account",
            "project_id": "world-project",
            "private_key_id": account.key_id,
            "private_key": account.private_pem,
            "client_email": account.name,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": google.TOKEN_URI,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "universe_domain": "googleapis.com",
        },
        "GOOGLE_USER_FILE": user,
        "GOOGLE_SUBJECT_TOKEN_FILE": google_token,
        "GOOGLE_EXTERNAL_URL_FILE": {**external, "credential_source": from_url},
        "GOOGLE_EXTERNAL_AWS_FILE": {
            **external,
            "audience": f"{pool}/aws",
            "subject_token_type": google.AWS_TYPE,
            "credential_source": from_aws,
        },
        "GOOGLE_IMPERSONATED_FILE": {
            "type": "impersonated_service_account",
            "source_credentials": user,
            "service_account_impersonation_url": impersonation,
            "delegates": [],
        },
        # Written after the token file whose path they hold.
        "GOOGLE_EXTERNAL_FILE": external,
        "GOOGLE_EXTERNAL_IMPERSONATED_FILE": {**external, "service_account_impersonation_url": impersonation},
    }


def _write(path: Path, content: Any) -> Path:
    if isinstance(content, dict):
        if content.get("type") == "external_account" and "credential_source" not in content:
            content = {**content, "credential_source": {"file": str(path.parent / "google_subject_token_file")}}
        content = json.dumps(content, indent=2)
    path.write_text(content)
    path.chmod(0o600)
    return path
