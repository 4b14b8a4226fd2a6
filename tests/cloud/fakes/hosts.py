"""Every name of the world, and whose it is. `world` writes them into /etc/hosts and the certificate holds them.

AWS: https://docs.aws.amazon.com/general/latest/gr/ecr.html and …/gr/sts.html, and the endpoint rules published with the
SDKs. The page calls ECR's FIPS endpoints `ecr-fips.…`, the rules say `api.ecr-fips.…`, and both answer here.
Azure: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from .state import ACCOUNT

PARTITIONS = {  # name: DNS suffix, suffix of the dual-stack API, suffix of dual-stack registries
    "aws": ("amazonaws.com", "api.aws", "on.aws"),
    "aws-cn": ("amazonaws.com.cn", "api.amazonwebservices.com.cn", "on.amazonwebservices.com.cn"),
    "aws-eusc": ("amazonaws.eu", "api.amazonwebservices.eu", "on.amazonwebservices.eu"),
    "aws-iso": ("c2s.ic.gov", "api.aws.ic.gov", "on.aws.ic.gov"),
    "aws-iso-b": ("sc2s.sgov.gov", "api.aws.scloud", "on.aws.scloud"),
}
REGIONS = {
    "us-east-1": "aws",
    "us-west-2": "aws",
    "eu-west-1": "aws",
    "us-gov-west-1": "aws",
    "cn-north-1": "aws-cn",
    "eusc-de-east-1": "aws-eusc",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
}
ECR_API, STS, ECR_REGISTRIES = {}, {"sts.amazonaws.com": "us-east-1"}, {}
for _region, _partition in REGIONS.items():
    _suffix, _dual, _dual_registry = PARTITIONS[_partition]
    for _label in ("api.ecr", "api.ecr-fips", "ecr-fips"):
        ECR_API[f"{_label}.{_region}.{_suffix}"] = _region
    for _label in ("ecr", "ecr-fips"):
        ECR_API[f"{_label}.{_region}.{_dual}"] = _region
        ECR_REGISTRIES[f"{ACCOUNT}.dkr.{_label}.{_region}.{_suffix}"] = _region
        ECR_REGISTRIES[f"{ACCOUNT}.dkr-{_label}.{_region}.{_dual_registry}"] = _region
    ECR_REGISTRIES[f"{ACCOUNT}.dkr.ecr.{_region}.{_dual_registry}"] = _region  # China's form of a dual-stack registry
    for _label in ("sts", "sts-fips"):
        STS[f"{_label}.{_region}.{_suffix}"] = STS[f"{_label}.{_region}.{_dual}"] = _region
ECR_PUBLIC_API = ("api.ecr-public.us-east-1.amazonaws.com", "ecr-public.us-east-1.api.aws")

ECR_PUBLIC_REGISTRIES = ("public.ecr.aws", "ecr-public.aws.com")  # the second is the dual-stack one
GOOGLE_REGISTRIES = (
    "us-docker.pkg.dev",
    "europe-west1-docker.pkg.dev",
    "docker.us-central1.rep.pkg.dev",
    "gcr.io",
    "us.gcr.io",
    "eu.gcr.io",
)
AZURE_REGISTRIES = {  # registry: whose Entra it trusts
    "myreg.azurecr.io": "login.microsoftonline.com",
    "otherreg.azurecr.io": "login.microsoftonline.com",
    "myreg.azurecr.cn": "login.chinacloudapi.cn",
    "myreg.azurecr.us": "login.microsoftonline.us",
}
# Azure China has had two names for its authority; both answer.
AUTHORITIES = {
    "login.microsoftonline.com": "login.microsoftonline.com",
    "login.microsoftonline.us": "login.microsoftonline.us",
    "login.chinacloudapi.cn": "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": "login.chinacloudapi.cn",
}
GOOGLE_APIS = (
    "oauth2.googleapis.com",
    "accounts.google.com",
    "www.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
)

# Where redirects lead and where no credential may ever arrive.
STRANGERS = ("evil.example.com", "second.example.com")
WORKLOAD_ISSUER = "oidc.world.test"

METADATA_ADDRESS = "169.254.169.254"
ECS_ADDRESS = "169.254.170.2"
EKS_ADDRESS = "169.254.170.23"
METADATA_NAMES = ("metadata.google.internal", "metadata")

LOOPBACK_NAMES = sorted(
    {
        *ECR_API,
        *STS,
        *ECR_PUBLIC_API,
        *ECR_REGISTRIES,
        *ECR_PUBLIC_REGISTRIES,
        *GOOGLE_REGISTRIES,
        *AZURE_REGISTRIES,
        *AUTHORITIES,
        *GOOGLE_APIS,
        *STRANGERS,
        WORKLOAD_ISSUER,
    }
)


def hosts_file() -> str:
    """The world's /etc/hosts: one name a line, so that a test can take one away with sed."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"127.0.0.1 {name}" for name in LOOPBACK_NAMES]
    lines += [f"{METADATA_ADDRESS} {name}" for name in METADATA_NAMES]
    return "\n".join(lines) + "\n"
