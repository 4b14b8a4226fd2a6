"""Google: the shipped binary ($BETA9_HELPER) against the world, under the real host names. SHOW=1 prints its lines."""

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from claims.report import claim
from claims.world import Skip, calls, check_pull, content, control, order, reset, settings, signed, variable

from .driver import IN_TIME

HOSTS = ("us-docker.pkg.dev", "europe-west1-docker.pkg.dev", "docker.us-central1.rep.pkg.dev", "gcr.io", "us.gcr.io")
HOST, OAUTH, STS, IAM = (
    "us-docker.pkg.dev",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
)
METADATA = "169.254.169.254"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AMBIENT = "ambient = true\n[cache]\nenabled = false\n"
KEY = "GOOGLE_APPLICATION_CREDENTIALS"


def helper(verb: str, text: str, config: str = "", **names: str) -> Tuple[int, str, str, float]:
    """Status, the one line (or the answer), standard error and seconds of one run, in an environment of these names."""
    with tempfile.TemporaryDirectory() as scratch:
        named = {"PATH": os.environ["PATH"], "HOME": scratch, "BETA9_CACHE": "off", **names}
        if config:
            file = Path(scratch, "config.toml")
            file.write_text(config)
            named["BETA9_CREDENTIAL_CONFIG"] = str(file)
        began = time.monotonic()
        done = subprocess.run(
            [os.environ["BETA9_HELPER"], verb],
            input=text,
            env=named,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, done.stdout, done.stderr, time.monotonic() - began


def blob(keys: Dict[str, str], host: str = HOST) -> str:
    """A request's credentials, as a scheduler passes them on."""
    return json.dumps({"registry": host, "type": "gcp", "credentials": keys})


def get(keys: Dict[str, str], host: str = HOST, **more: str) -> Tuple[int, str, str, float]:
    """`get` with a tenant's secret."""
    return helper("get", host, BETA9_IMAGE_CREDENTIALS=blob(keys, host), **more)


def token(run: Tuple[int, str, str, float]) -> str:
    """The minted token; the run must have succeeded."""
    status, out, err, _ = run
    assert status == 0 and not err, (out, err)
    answer = json.loads(out)
    assert answer["Username"] == "oauth2accesstoken", answer["Username"]
    return answer["Secret"]


def failed(run: Tuple[int, str, str, float], *texts: str, absent: Tuple[str, ...] = ()) -> str:
    """The run must have failed with one line that holds these texts, in time."""
    status, out, err, seconds = run
    if os.environ.get("SHOW"):
        print(f"{seconds:4.1f} {out}", end="")
    assert status == 1 and not err and out.count("\n") == 1, (status, out, err)
    assert seconds < IN_TIME, f"took {seconds:.1f} s: {out}"
    missing = [text for text in texts if text not in out]
    assert not missing, f"{missing} is not in: {out}"
    for secret in absent:
        assert secret not in out, "the line holds a secret"
    return out


def ambient(host: str = HOST, config: str = AMBIENT, **names: str) -> Tuple[int, str, str, float]:
    """`get` with the node's identity."""
    return helper("get", host, config, **names)


def document(name: str, **changed: Any) -> Dict[str, Any]:
    """A credential document of the world, changed; None takes a member away."""
    found = {**json.loads(content(name)), **changed}
    return {key: value for key, value in found.items() if value is not None}


def account(**changed: Any) -> str:
    """The text of the service-account key, changed."""
    return json.dumps(document("GOOGLE_SERVICE_ACCOUNT_FILE", **changed))


@contextlib.contextmanager
def file(value: Any) -> Iterator[str]:
    """A document in a file."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "document.json")
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        yield str(path)


@contextlib.contextmanager
def resolving(name: str, address: Optional[str]) -> Iterator[None]:
    """A world in which a name leads elsewhere, or nowhere."""
    hosts = Path(variable("HOSTS"))
    before = hosts.read_text()
    lines = [line for line in before.splitlines() if line.split()[1:] != [name]]
    hosts.write_text("\n".join(lines + ([f"{address} {name}"] if address else [])) + "\n")
    try:
        yield
    finally:
        hosts.write_text(before)


@contextlib.contextmanager
def unreachable(address: str) -> Iterator[None]:
    """A world without this address."""
    subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)


def seen(text: str) -> List[str]:
    """The hosts that were sent this text."""
    return control("/seen", {"text": text})


# What works


@claim("an access token in a secret is answered as it is, and nobody is asked")
def _() -> None:
    assert token(get({"GCP_ACCESS_TOKEN": "ya29.mine"})) == "ya29.mine"
    assert token(get({"GCP_ACCESS_TOKEN": "ya29.mine", KEY: account(), "GCP_PROJECT_ID": "p"})) == "ya29.mine"
    assert not calls()


@claim("a service-account key in JSON, on many lines, in base64 of any shape becomes a token that pulls everywhere")
def _() -> None:
    pretty = content("GOOGLE_SERVICE_ACCOUNT_FILE")
    encoded = base64.b64encode(pretty.encode()).decode()
    wrapped = "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    for host, text in zip(HOSTS, (pretty, account(), encoded, wrapped + "\n", encoded.rstrip("="))):
        minted = token(get({KEY: text, "GCP_PROJECT_ID": "world-project"}, host))
        check_pull(host, "oauth2accesstoken", minted, "LONG_IMAGE" if "pkg.dev" in host else "IMAGE")
    for call in calls(service="google-oauth"):
        assert call["note"]["scope"] == SCOPE and call["host"] == OAUTH, call
    assert len(calls(service="google-oauth")) == len(HOSTS)


@claim("the pairs _json_key and _json_key_base64 are minted with, and the key itself never leaves the node")
def _() -> None:
    encoded = base64.b64encode(account().encode()).decode()
    for user, name, password in (
        ("USERNAME", "_json_key", content("GOOGLE_SERVICE_ACCOUNT_FILE")),
        ("USERNAME", "_json_key_base64", encoded),
        ("REGISTRY_USERNAME", "_json_key", account()),
    ):
        run = get({user: name, user.replace("USERNAME", "PASSWORD"): password})
        minted = token(run)
        check_pull(HOST, "oauth2accesstoken", minted, "LONG_IMAGE")
        assert "PRIVATE KEY" not in run[1]
    secret = json.loads(account())["private_key"]
    assert seen(secret) == [] and seen(account()) == [] and seen(encoded) == []


@claim("docker login with _json_key keeps the key, and the next get mints with it")
def _() -> None:
    with tempfile.TemporaryDirectory() as home:
        given = json.dumps(
            {"ServerURL": HOST, "Username": "_json_key", "Secret": content("GOOGLE_SERVICE_ACCOUNT_FILE")}
        )
        status, out, err, _ = helper("store", given, HOME=home)
        assert (status, out) == (0, ""), (out, err)
        check_pull(HOST, "oauth2accesstoken", token(helper("get", HOST, HOME=home)), "LONG_IMAGE")


@claim("the pair oauth2accesstoken and a token is answered as it is, with or without a project beside it")
def _() -> None:
    pair = {"USERNAME": "oauth2accesstoken", "PASSWORD": "ya29.mine"}
    assert token(get(pair)) == token(get({**pair, "GCP_PROJECT_ID": "p"})) == "ya29.mine"
    assert not calls()


@claim("a user's credentials in a secret become a token, from Google's own endpoint")
def _() -> None:
    check_pull(HOST, "oauth2accesstoken", token(get({KEY: content("GOOGLE_USER_FILE")})), "LONG_IMAGE")
    (call,) = calls(service="google-oauth")
    assert call["note"]["grant_type"] == "refresh_token" and call["host"] == OAUTH


@claim("a key that names the token endpoint of former years is sent to today's")
def _() -> None:
    for uri in ("https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token", None):
        token(get({KEY: account(token_uri=uri)}))
    assert {call["host"] for call in calls()} == {OAUTH}


@claim("skopeo pulls with what credHelpers of its auth file answer")
def _() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "docker-credential-beta9").symlink_to(os.environ["BETA9_HELPER"])
        auth = Path(scratch, "auth.json")
        auth.write_text(json.dumps({"credHelpers": {HOST: "beta9", "gcr.io": "beta9"}}))
        for host, image in ((HOST, "LONG_IMAGE"), ("gcr.io", "IMAGE")):
            named = {
                "PATH": f"{scratch}:{os.environ['PATH']}",
                "HOME": scratch,
                "BETA9_CACHE": "off",
                "BETA9_IMAGE_CREDENTIALS": blob({KEY: account()}, host),
            }
            try:
                done = subprocess.run(
                    [
                        "skopeo",
                        "copy",
                        "--authfile",
                        str(auth),
                        f"docker://{host}/{variable(image)}",
                        f"dir:{scratch}/{image}",
                    ],
                    env=named,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            except FileNotFoundError as missing:
                raise Skip("skopeo is not installed") from missing
            assert done.returncode == 0, done.stderr
            assert Path(scratch, image, "manifest.json").exists()


@claim("the node's identity is a service account, a user, or an impersonated account in a file that the node names")
def _() -> None:
    for name in ("GOOGLE_SERVICE_ACCOUNT_FILE", "GOOGLE_USER_FILE", "GOOGLE_IMPERSONATED_FILE"):
        minted = token(ambient(**{KEY: variable(name)}))
        check_pull(HOST, "oauth2accesstoken", minted, "LONG_IMAGE")
    (call,) = calls(service="google-iamcredentials")
    assert call["note"]["scope"] == [SCOPE], call


@claim("the node's identity is what gcloud left in its folder, by default or by CLOUDSDK_CONFIG")
def _() -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, ".config", "gcloud")
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_text(content("GOOGLE_USER_FILE"))
        check_pull(HOST, "oauth2accesstoken", token(ambient(HOME=home)), "LONG_IMAGE")
        check_pull(HOST, "oauth2accesstoken", token(ambient(CLOUDSDK_CONFIG=str(folder))), "LONG_IMAGE")
    assert not calls(service="google-metadata") and len(calls(service="google-oauth")) == 2


@claim("without a file the metadata server answers, with its header, past any proxy")
def _() -> None:
    check_pull(HOST, "oauth2accesstoken", token(ambient()), "LONG_IMAGE")
    check_pull("gcr.io", "oauth2accesstoken", token(ambient("gcr.io", http_proxy="http://127.0.0.9:3128")))
    first, second = calls(service="google-metadata")
    assert first["status"] == second["status"] == 200 and first["host"] == METADATA, first


@claim("a project's name alone means the node's identity where that is on, and is refused where it is off")
def _() -> None:
    keys = {"GCP_PROJECT_ID": "world-project"}
    line = failed(get(keys), HOST, "backend gcp", "GCP_PROJECT_ID", "ambient = true")
    assert not calls(), line
    token(helper("get", HOST, AMBIENT, BETA9_IMAGE_CREDENTIALS=blob(keys)))
    assert calls(service="google-metadata")


@claim("a rule turns the node's identity on for its hosts only")
def _() -> None:
    config = '[[registry]]\nhost = "gcr.io"\nambient = true\n'
    token(ambient("gcr.io", config))
    status, out, _, _ = ambient(HOST, config)
    assert status == 1 and out == "credentials not found in native keychain\n", out


@claim("a workload's token is exchanged, from a file, a URL and AWS, and for a service account's")
def _() -> None:
    for name in ("GOOGLE_EXTERNAL_FILE", "GOOGLE_EXTERNAL_URL_FILE", "GOOGLE_EXTERNAL_IMPERSONATED_FILE"):
        check_pull(HOST, "oauth2accesstoken", token(ambient(**{KEY: variable(name)})), "LONG_IMAGE")
    keys = {f"AWS_{name}": variable(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
    named = {KEY: variable("GOOGLE_EXTERNAL_AWS_FILE")}
    check_pull(HOST, "oauth2accesstoken", token(ambient(AWS_REGION="us-east-1", **keys, **named)), "LONG_IMAGE")
    check_pull(HOST, "oauth2accesstoken", token(ambient(**named)), "LONG_IMAGE")  # the role and region that IMDS gives
    exchanges = [call["note"]["scope"] for call in calls(service="google-sts")]
    assert exchanges.count(SCOPE) == 4 and exchanges.count("https://www.googleapis.com/auth/iam") == 1, exchanges


# What a tenant may not do


@claim("a path, or what is neither JSON nor base64 of it, is refused in a secret, and no file is read")
def _() -> None:
    path = variable("GOOGLE_SERVICE_ACCOUNT_FILE")
    for text in (path, "/etc/shadow", "~/key.json", "./key.json", f"file://{path}"):
        failed(get({KEY: text}), HOST, KEY, "path", absent=(text,))
    for text in ("hunter2-hunter2", "aHVudGVyMg==", "[1]", base64.b64encode(path.encode()).decode(), "{", '{"type":1}'):
        failed(get({KEY: text}), HOST, KEY, absent=(text, "hunter2") if len(text) > 3 else ("hunter2",))
    failed(get({"USERNAME": "_json_key", "PASSWORD": path}), HOST, "PASSWORD", "path", absent=(path,))
    assert not calls()


@claim("federation, impersonation and unknown kinds of credentials are refused in a secret, and nobody is called")
def _() -> None:
    for name, kind in (
        ("GOOGLE_EXTERNAL_FILE", "external_account"),
        ("GOOGLE_EXTERNAL_URL_FILE", "external_account"),
        ("GOOGLE_EXTERNAL_AWS_FILE", "external_account"),
        ("GOOGLE_IMPERSONATED_FILE", "impersonated_service_account"),
    ):
        text = content(name)
        for keys in (
            {KEY: text},
            {KEY: base64.b64encode(text.encode()).decode()},
            {"USERNAME": "_json_key", "PASSWORD": text},
        ):
            failed(get(keys), HOST, KEY if KEY in keys else "PASSWORD", '"type"', kind)
    failed(get({KEY: account(type="gdch_service_account")}), KEY, '"type"', absent=("gdch",))
    assert not calls()


@claim("a secret may not say where its key is sent, nor to which universe, whatever way it is written")
def _() -> None:
    for uri in (
        "https://evil.example.com/token",
        "https://oauth2.googleapis.com.evil.example.com/token",
        "https://oauth2.googleapis.com@evil.example.com/token",
        "https://oauth2.googleapis.com/token?x=1",
        "http://oauth2.googleapis.com/token",
        "http://169.254.169.254/",
        7,
    ):
        for name in ("GOOGLE_SERVICE_ACCOUNT_FILE", "GOOGLE_USER_FILE"):
            failed(get({KEY: json.dumps(document(name, token_uri=uri))}), HOST, KEY, '"token_uri"', absent=(str(uri),))
    for universe in ("evil.example.com", 7):
        failed(get({KEY: account(universe_domain=universe)}), KEY, '"universe_domain"')
    twice = account()[:-1] + ', "token_uri": "https://evil.example.com/token"}'
    failed(get({KEY: twice}), KEY, "twice")
    assert not calls()


@claim("a secret never falls back on the node's identity, even where that is on")
def _() -> None:
    named = {KEY: variable("GOOGLE_SERVICE_ACCOUNT_FILE"), "CLOUDSDK_CONFIG": variable("DIR")}
    broken = {KEY: account(private_key="hunter2")}
    run = helper("get", HOST, AMBIENT, BETA9_IMAGE_CREDENTIALS=blob(broken), **named)
    failed(run, KEY, '"private_key"', absent=("hunter2",))
    order(OAUTH, "status", status=401)
    failed(helper("get", HOST, AMBIENT, BETA9_IMAGE_CREDENTIALS=blob({KEY: account()}), **named), "status 401")
    assert {call["host"] for call in calls()} == {OAUTH}


@claim("a key that lacks a part, or whose key is damaged, is refused by the part's name")
def _() -> None:
    for part in ("type", "client_email", "private_key"):
        failed(get({KEY: account(**{part: None})}), HOST, KEY, f'"{part}"')
        failed(get({KEY: account(**{part: ["hunter2"]})}), HOST, KEY, f'"{part}"', absent=("hunter2",))
    pem = json.loads(account())["private_key"]
    for damaged in (pem[:200], pem.replace("A", "B"), pem.replace("PRIVATE", "PUBLIC")):
        failed(get({KEY: account(private_key=damaged)}), KEY, '"private_key"', absent=(damaged[40:80],))
    assert not calls()


# What Google refuses


def refuses(status: int, error: str, description: str) -> Dict[str, Any]:
    """A refusal of an OAuth endpoint, with something in it that may not be repeated."""
    text = json.dumps({"error": error, "error_description": f"{description} hunter2"})
    return {"status": status, "body": text, "headers": {"Content-Type": "application/json"}}


@claim("each refusal of a service account's key says what happened and what to do, and quotes nothing")
def _() -> None:
    email = variable("GOOGLE_ACCOUNT")
    for refusal, texts in (
        (refuses(400, "invalid_grant", "Invalid JWT Signature."), ("deleted or disabled", f"new key for {email}")),
        (refuses(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)"), ("clock",)),
        (refuses(400, "invalid_grant", "Robot is disabled."), (f"{email} is disabled", "enable")),
        (refuses(400, "invalid_grant", "Invalid grant: account not found"), (f"no service account {email}",)),
        (refuses(400, "invalid_grant", "Something new."), ("invalid_grant", email)),
        (refuses(401, "unauthorized_client", "Client is unauthorized"), ("unauthorized_client",)),
        (refuses(400, "invalid_scope", "Invalid OAuth scope"), ("status 400", "invalid_scope")),
        (refuses(403, "hunter2", "x"), ("status 403",)),
    ):
        order(OAUTH, "status", times=1, **refusal)
        failed(get({KEY: account()}), HOST, "backend gcp", KEY, *texts, absent=("hunter2",))
    failed(get({KEY: account(client_email="nobody@world-project.iam.gserviceaccount.com")}), "nobody@world-project")
    failed(get({KEY: account(client_email='x"\nhunter2')}), "?", absent=("hunter2",))


@claim("a key that Google does not know is told from one of a deleted account, by the true service too")
def _() -> None:
    other = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    failed(get({KEY: account(private_key=other)}), "does not know the key", absent=(other[40:90],))


@claim("each refusal of a user, an exchange and an impersonation says what happened")
def _() -> None:
    failed(
        get({KEY: json.dumps(document("GOOGLE_USER_FILE", refresh_token="hunter2"))}),
        "expired or was revoked",
        absent=("hunter2",),
    )
    failed(
        get({KEY: json.dumps(document("GOOGLE_USER_FILE", client_secret="hunter2"))}),
        "client_secret",
        absent=("hunter2",),
    )
    pool = document("GOOGLE_EXTERNAL_FILE")["audience"]
    for value, text in (
        (document("GOOGLE_EXTERNAL_FILE", audience=pool.replace("oidc", "elsewhere")), "audience"),
        (document("GOOGLE_EXTERNAL_FILE", credential_source={"file": "/nowhere"}), "no token file /nowhere"),
        (
            document("GOOGLE_EXTERNAL_FILE", credential_source={"executable": {"command": "/bin/true"}}),
            "credential_source",
        ),
        (document("GOOGLE_EXTERNAL_FILE", token_url="http://sts.googleapis.com/v1/token"), "https://"),
        (document("GOOGLE_EXTERNAL_FILE", type="hunter2"), "type"),
    ):
        with file(value) as path:
            failed(ambient(**{KEY: path}), path, text, absent=("hunter2",))
    subject = "system:serviceaccount:pulls:puller"
    for value, text in (
        (signed(by="stranger", sub=subject, aud=f"https:{pool}"), "issuer or the signature"),
        (signed(seconds=-5, sub=subject, aud=f"https:{pool}"), "subject token has expired"),
        (signed(sub=subject, aud="elsewhere"), "audience"),
    ):
        with (
            file(value) as subject_file,
            file(document("GOOGLE_EXTERNAL_FILE", credential_source={"file": subject_file})) as path,
        ):
            failed(ambient(**{KEY: path}), path, text, absent=(value,))
    url = document("GOOGLE_IMPERSONATED_FILE")["service_account_impersonation_url"]
    with file(
        document("GOOGLE_IMPERSONATED_FILE", service_account_impersonation_url=url.replace("impersonated@", "other@"))
    ) as path:
        failed(ambient(**{KEY: path}), "iam.serviceAccounts.getAccessToken", "other@", "serviceAccountTokenCreator")
    named = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": variable("AWS_ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }
    failed(ambient(**named, **{KEY: variable("GOOGLE_EXTERNAL_AWS_FILE")}), "AWS", absent=("hunter2",))


@claim("a node on AWS whose AWS identity cannot be had is told so in time")
def _() -> None:
    named = {KEY: variable("GOOGLE_EXTERNAL_AWS_FILE")}
    with unreachable(METADATA):
        failed(ambient(**named), "AWS region")
        failed(ambient(AWS_REGION="us-east-1", **named), "AWS credentials")
    for fault in ({"mode": "hang"}, {"mode": "status", "status": 500}, {"mode": "huge"}):
        order("aws-imds", **fault)
        failed(ambient(**named), "AWS")
        failed(ambient(AWS_REGION="us-east-1", **named), "AWS")
        reset()


@claim("a node without a Google identity is told what was looked for, at once")
def _() -> None:
    with unreachable(METADATA):
        failed(ambient(), KEY, "application_default_credentials.json", METADATA, "nobody answers")
    settings(metadata=["aws", "azure"])
    failed(ambient(), KEY, METADATA, "not Google's metadata server")
    settings(metadata=["aws", "google", "azure"])
    order("google-metadata", "status", status=404)
    failed(ambient(), "the metadata server", "no service account")
    failed(ambient(**{KEY: "/nowhere.json"}), KEY, "/nowhere.json")
    failed(ambient(**{KEY: "relative.json"}), KEY, "absolute")


# What can go wrong with any server


FAULTS: List[Tuple[Dict[str, Any], Tuple[str, ...]]] = [
    ({"mode": "status", "status": 401}, ("status 401",)),
    ({"mode": "status", "status": 403}, ("status 403",)),
    ({"mode": "status", "status": 429, "retry_after": 7200}, ("429", "7200 s")),
    ({"mode": "status", "status": 500}, ("status 500",)),
    ({"mode": "hang"}, ("did not answer in time",)),
    ({"mode": "slow"}, ("did not answer in time",)),
    ({"mode": "truncate"}, ("broke off in the middle",)),
    ({"mode": "huge"}, ("more than 1 MiB",)),
    ({"mode": "redirect"}, ("redirect", "307")),
    ({"mode": "content-type"}, ("not JSON",)),
    ({"mode": "close"}, ("closed the connection",)),
    ({"mode": "wrong-name"}, ("certificate", "another name")),
    ({"mode": "untrusted-ca"}, ("certificate", "nobody that this system trusts")),
    ({"mode": "expired-cert"}, ("certificate", "expired")),
]


def faults(host: str, run: Callable[[], Tuple[int, str, str, float]], *secrets: str) -> None:
    """Every fault of a host: one line, in time, few calls, and no secret anywhere else."""
    for fault, texts in FAULTS:
        if host == METADATA and fault["mode"] in ("wrong-name", "untrusted-ca", "expired-cert"):
            continue  # it speaks no TLS
        order(host, **fault)
        if host == METADATA and fault["mode"] == "content-type":
            texts = ("not Google's metadata server",)  # a page lacks its header
        line = failed(run(), HOST, "backend gcp", *texts)
        assert host in line or "the metadata server" in line or variable("DIR") in line, line
        assert len(calls(host=host)) <= 3, f"{fault}: {len(calls(host=host))} calls"
        for secret in secrets:
            assert set(seen(secret)) <= {host}, (fault, seen(secret))
        assert not calls(service="stranger"), fault
        reset()
    if host == METADATA:
        return
    for address, text in ((None, "cannot be resolved"), ("127.0.0.9", "refused the connection")):
        with resolving(host, address):
            failed(run(), HOST, "backend gcp", text, host)


@claim(
    "every fault of the token endpoint is named in one line in time, and a secret's key goes nowhere else"
)
def _() -> None:
    faults(OAUTH, lambda: get({KEY: account()}), json.loads(account())["private_key"])


@claim("every fault of the token endpoint with a user's credentials is named, and they go nowhere else")
def _() -> None:
    user = document("GOOGLE_USER_FILE")
    faults(OAUTH, lambda: get({KEY: json.dumps(user)}), user["refresh_token"], user["client_secret"])


@claim("every fault of the security token service is named, and the subject token goes nowhere else")
def _() -> None:
    subject = content("GOOGLE_SUBJECT_TOKEN_FILE").strip()
    faults(STS, lambda: ambient(**{KEY: variable("GOOGLE_EXTERNAL_FILE")}), subject)


@claim("every fault of impersonation is named, and the token of who asks goes nowhere else")
def _() -> None:
    faults(IAM, lambda: ambient(**{KEY: variable("GOOGLE_IMPERSONATED_FILE")}))


@claim("every fault of the metadata server is named")
def _() -> None:
    faults(METADATA, ambient)


@claim("a passing fault is got over, and Retry-After is kept to where there is time")
def _() -> None:
    for fault in ({"mode": "close"}, {"mode": "status", "status": 503}, {"mode": "truncate"}):
        order(OAUTH, times=2, **fault)
        token(get({KEY: account()}))
    order(OAUTH, "status", status=429, retry_after=1, times=1)
    began = time.time()
    token(get({KEY: account()}))
    assert time.time() - began >= 1
    order(OAUTH, "status", status=401, times=1)
    failed(get({KEY: account()}), "status 401")


@claim("a name server that says nothing does not hold the answer up")
def _() -> None:
    settings(silent_names=True)
    with resolving(OAUTH, None):
        failed(get({KEY: account()}), "backend gcp", OAUTH)
