"""Every name of the world, and whose it is. `world` writes them into /etc/hosts and the certificate holds them.

AWS: https://docs.aws.amazon.com/general/latest/gr/ecr.html and …/gr/sts.html; the FIPS names of ECR begin with
`ecr-fips`, not `api.ecr-fips`, in the partitions aws and aws-us-gov (the SDKs' endpoint rules agree).
Azure: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from .state import ACCOUNT

REGIONS = {  # region: DNS suffix of its partition
    "us-east-1": "amazonaws.com", "us-west-2": "amazonaws.com", "eu-west-1": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com", "cn-north-1": "amazonaws.com.cn", "eusc-de-east-1": "amazonaws.eu",
}
FIPS_REGIONS = ("us-east-1", "us-west-2", "us-gov-west-1")
ECR_API = {f"api.ecr.{region}.{suffix}": region for region, suffix in REGIONS.items()}
ECR_API.update({f"ecr-fips.{region}.amazonaws.com": region for region in FIPS_REGIONS})
ECR_API.update({f"{kind}.{region}.api.aws": region for region in FIPS_REGIONS for kind in ("ecr", "ecr-fips")})
ECR_API["ecr.cn-north-1.api.amazonwebservices.com.cn"] = "cn-north-1"
STS = {f"sts.{region}.{suffix}": region for region, suffix in REGIONS.items()}
STS.update({f"sts-fips.{region}.amazonaws.com": region for region in ("us-east-1", "us-west-2")})
STS.update({f"sts.{region}.api.aws": region for region in FIPS_REGIONS})
STS["sts.amazonaws.com"] = "us-east-1"
ECR_PUBLIC_API = ("api.ecr-public.us-east-1.amazonaws.com", "ecr-public.us-east-1.api.aws")

ECR_REGISTRIES = {f"{ACCOUNT}.dkr.ecr.{region}.{suffix}": region for region, suffix in REGIONS.items()}
ECR_REGISTRIES.update({f"{ACCOUNT}.dkr.ecr-fips.{region}.amazonaws.com": region for region in FIPS_REGIONS})
ECR_REGISTRIES.update({f"{ACCOUNT}.{label}.us-east-1.on.aws": "us-east-1" for label in ("dkr-ecr", "dkr-ecr-fips")})
GOOGLE_REGISTRIES = ("us-docker.pkg.dev", "europe-west1-docker.pkg.dev", "docker.us-central1.rep.pkg.dev",
                     "gcr.io", "us.gcr.io", "eu.gcr.io")
AZURE_REGISTRIES = {  # registry: whose Entra it trusts
    "myreg.azurecr.io": "login.microsoftonline.com", "otherreg.azurecr.io": "login.microsoftonline.com",
    "myreg.azurecr.cn": "login.chinacloudapi.cn", "myreg.azurecr.us": "login.microsoftonline.us",
}
# Azure China has had two names for its authority; both answer.
AUTHORITIES = {"login.microsoftonline.com": "login.microsoftonline.com",
               "login.microsoftonline.us": "login.microsoftonline.us",
               "login.chinacloudapi.cn": "login.chinacloudapi.cn",
               "login.partner.microsoftonline.cn": "login.chinacloudapi.cn"}
GOOGLE_APIS = ("oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com", "sts.googleapis.com",
               "iamcredentials.googleapis.com")

# Where redirects lead and where no credential may ever arrive.
STRANGERS = ("evil.example.com", "second.example.com")
WORKLOAD_ISSUER = "oidc.world.test"

METADATA_ADDRESS = "169.254.169.254"
ECS_ADDRESS = "169.254.170.2"
EKS_ADDRESS = "169.254.170.23"
METADATA_NAMES = ("metadata.google.internal", "metadata")

LOOPBACK_NAMES = sorted({*ECR_API, *STS, *ECR_PUBLIC_API, *ECR_REGISTRIES, "public.ecr.aws", *GOOGLE_REGISTRIES,
                         *AZURE_REGISTRIES, *AUTHORITIES, *GOOGLE_APIS, *STRANGERS, WORKLOAD_ISSUER})


def hosts_file() -> str:
    """The world's /etc/hosts: one name a line, so that a test can take one away with sed."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"127.0.0.1 {name}" for name in LOOPBACK_NAMES]
    lines += [f"{METADATA_ADDRESS} {name}" for name in METADATA_NAMES]
    return "\n".join(lines) + "\n"
