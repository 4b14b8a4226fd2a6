//! The settings of Beta9's Python SDK, in all combinations of what is saved and what the environment says.
//!
//! The tables' `beta9` and `beam` columns are what the SDKs give: `get_config_context` and its `http_url` of beta9 0.1.291,
//! run by itself and with beam-client 0.2.233 (the hosted product's) loaded.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use beta9_credential::config::{Config, Env};
use beta9_credential::json;
use common::gateway::{Gateway, OTHER_TOKEN, TOKEN};
use common::{Answer, Node};

/// What the environment says, and where the SDKs send which token where no context is saved.
struct Row {
    environment: &'static [(&'static str, &'static str)],
    beta9: &'static str,
    beam: &'static str,
    ours: &'static str,
}

const ENVIRONMENT: [Row; 17] = [
    Row {
        environment: &[],
        beta9: NOBODY,
        beam: NOBODY,
        ours: NO_TOKEN,
    },
    // On a shared node anybody may listen where the SDK looks for a gateway by default.
    Row {
        environment: &[B],
        beta9: "b http://0.0.0.0:1994",
        beam: "b https://app.beam.cloud:443",
        ours: NO_GATEWAY,
    },
    // Here and below: the SDK asks the gRPC gateway for its HTTP address, which is app.DOMAIN for gateway.DOMAIN.
    Row {
        environment: &[B, HOST, PORT],
        beta9: "b https://gateway.env.example:443",
        beam: "b https://gateway.env.example:443",
        ours: "b https://app.env.example",
    },
    Row {
        environment: &[B, HOST, PORT, API],
        beta9: "b https://api.env.example",
        beam: "b https://api.env.example",
        ours: "b https://api.env.example",
    },
    Row {
        environment: &[B, API],
        beta9: "b https://api.env.example",
        beam: "b https://api.env.example",
        ours: "b https://api.env.example",
    },
    Row {
        environment: &[HOST, PORT],
        beta9: NOBODY,
        beam: NOBODY,
        ours: NO_TOKEN,
    },
    Row {
        environment: &[API],
        beta9: NOBODY,
        beam: NOBODY,
        ours: NO_TOKEN,
    },
    Row {
        environment: &[H],
        beta9: NOBODY,
        beam: "h https://app.beam.cloud:443",
        ours: "h https://app.beam.cloud",
    },
    // The hosted SDK sends the token to its own product's API, whatever gateway is set.
    Row {
        environment: &[H, GATEWAY_HOST],
        beta9: NOBODY,
        beam: "h https://app.beam.cloud:443",
        ours: "h https://app.hosted.example",
    },
    Row {
        environment: &[
            H,
            GATEWAY_HOST,
            ("GATEWAY_PORT", "443"),
            API_HOST,
            ("API_PORT", "443"),
        ],
        beta9: NOBODY,
        beam: "h https://api.hosted.example:443",
        ours: "h https://api.hosted.example",
    },
    Row {
        environment: &[H, API_HOST],
        beta9: NOBODY,
        beam: "h https://api.hosted.example:443",
        ours: "h https://api.hosted.example",
    },
    Row {
        environment: &[H, HOST],
        beta9: NOBODY,
        beam: "h https://gateway.env.example:443",
        ours: "h https://app.env.example",
    },
    Row {
        environment: &[H, HOST, API_HOST],
        beta9: NOBODY,
        beam: "h https://gateway.env.example:443",
        ours: "h https://app.env.example",
    },
    Row {
        environment: &[H, API],
        beta9: NOBODY,
        beam: "h https://api.env.example",
        ours: "h https://api.env.example",
    },
    Row {
        environment: &[H, B, HOST, PORT],
        beta9: "b https://gateway.env.example:443",
        beam: "b https://gateway.env.example:443",
        ours: "b https://app.env.example",
    },
    // The two SDKs disagree where one's token goes, and the other's names are not asked.
    Row {
        environment: &[H, B],
        beta9: "b http://0.0.0.0:1994",
        beam: "b https://app.beam.cloud:443",
        ours: NO_GATEWAY,
    },
    Row {
        environment: &[B, API_HOST],
        beta9: "b http://0.0.0.0:1994",
        beam: "b https://api.hosted.example:443",
        ours: NO_GATEWAY,
    },
];

/// What a file has, and what both SDKs make of it, whatever the environment says.
const SAVED: [(&str, &str, &str, &str); 7] = [
    (
        "default",
        WHOLE,
        "s https://gateway.saved.example:443",
        "s https://app.saved.example",
    ),
    (
        "default",
        "[default]\ntoken = s\ngateway_host = gateway.saved.example\ngateway_port = 443\napi_url = https://api.saved.example/v1/\n",
        "s https://api.saved.example/v1/",
        "s https://api.saved.example/v1",
    ),
    (
        "default",
        "[default]\ntoken =\ngateway_host = gateway.saved.example\ngateway_port = 443\n",
        NOBODY,
        NO_TOKEN,
    ),
    (
        "default",
        "[DEFAULT]\ntoken = i\n[default]\ngateway_host = gateway.saved.example\ngateway_port = 443\n",
        "i https://gateway.saved.example:443",
        "i https://app.saved.example",
    ),
    (
        "default",
        TWO,
        "s https://gateway.saved.example:443",
        "s https://app.saved.example",
    ),
    ("prod", TWO, NOBODY, NO_TOKEN),
    // The SDK's own default again.
    (
        "default",
        "[default]\ntoken = s\n",
        "s http://0.0.0.0:1994",
        NO_GATEWAY,
    ),
];

const B: (&str, &str) = ("BETA9_TOKEN", "b");
const HOST: (&str, &str) = ("BETA9_GATEWAY_HOST", "gateway.env.example");
const PORT: (&str, &str) = ("BETA9_GATEWAY_PORT", "443");
const API: (&str, &str) = ("BETA9_API_URL", "https://api.env.example");
const H: (&str, &str) = ("BEAM_TOKEN", "h");
const GATEWAY_HOST: (&str, &str) = ("GATEWAY_HOST", "gateway.hosted.example");
const API_HOST: (&str, &str) = ("API_HOST", "api.hosted.example");
const WHOLE: &str =
    "[default]\ntoken = s\ngateway_host = gateway.saved.example\ngateway_port = 443\n";
const TWO: &str = "[default]\ntoken = s\ngateway_host = gateway.saved.example\ngateway_port = 443\n[prod]\ngateway_host = gateway.prod.example\ngateway_port = 443\n";
/// The SDK has no token, and asks for one.
const NOBODY: &str = "nobody";
const NO_TOKEN: &str = "no token for the gateway is set";
const NO_GATEWAY: &str = "no gateway is configured";

/// The token and the URL that it goes to, or the error.
fn endpoint(
    saved: Option<&str>,
    context: &str,
    environment: &[(&str, &str)],
) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    for folder in [".beta9", ".beam"] {
        if let Some(ini) = saved {
            std::fs::create_dir(home.path().join(folder)).unwrap();
            std::fs::write(home.path().join(folder).join("config.ini"), ini).unwrap();
        }
    }
    let system = home.path().join("system.toml");
    std::fs::write(&system, "[store]\nkind = \"gateway\"\n").unwrap();
    let mut variables = [("", ""); 9];
    variables[0] = ("HOME", home.path().to_str().unwrap());
    variables[1] = ("BETA9_CREDENTIAL_CONFIG", system.to_str().unwrap());
    variables[2] = (
        "BETA9_CONTEXT",
        if context == "default" { "" } else { context },
    );
    variables[3..3 + environment.len()].copy_from_slice(environment);
    let config = Config::load(&Env::of(variables)).map_err(|error| error.to_string())?;
    let endpoint = config
        .gateway
        .endpoint()
        .map_err(|error| error.to_string())?;
    Ok(format!("{} {}", endpoint.token.expose(), endpoint.url))
}

/// The token and the domain that it goes to; a gateway and its API are one domain's.
fn domain(text: &str) -> String {
    let (token, url) = text.split_once(' ').unwrap();
    let host = url
        .split_once("://")
        .unwrap()
        .1
        .split(['/', ':'])
        .next()
        .unwrap();
    format!(
        "{token} {}",
        host.trim_start_matches("gateway.")
            .trim_start_matches("app.")
    )
}

fn check(got: &Result<String, String>, ours: &str, theirs: &[&str], what: &str) {
    match got {
        Ok(got) => {
            assert_eq!(got, ours, "{what}");
            // Whatever is answered, one of the SDKs sends that token to that domain, or the row says why it should.
            let followed = theirs
                .iter()
                .any(|theirs| *theirs != NOBODY && domain(theirs) == domain(ours));
            assert!(
                followed || ours == "h https://app.hosted.example",
                "{what}: {ours}"
            );
        }
        Err(error) => assert!(error.contains(ours), "{what}: {error}, not {ours}"),
    }
}

#[test]
fn without_a_saved_context_the_environments_token_goes_to_the_environments_gateway() {
    for row in &ENVIRONMENT {
        let got = endpoint(None, "default", row.environment);
        check(
            &got,
            row.ours,
            &[row.beta9, row.beam],
            &format!("{:?}", row.environment),
        );
        // A context that nobody has saved is no other one: but for the hosted product, which has some of its own.
        let named = endpoint(Some(WHOLE), "prod", row.environment);
        match row.ours {
            ours if ours.starts_with("b ") => {
                assert_eq!(named.as_deref(), Ok(ours), "{:?}", row.environment);
            }
            _ => assert!(
                named
                    .unwrap_err()
                    .contains("there is no context \"prod\" in "),
                "{:?}",
                row.environment
            ),
        }
    }
}

#[test]
fn beside_a_saved_context_the_environment_does_not_count() {
    for (context, ini, theirs, ours) in SAVED {
        for row in &ENVIRONMENT {
            check(
                &endpoint(Some(ini), context, row.environment),
                ours,
                &[theirs],
                &format!("{ini}: {:?}", row.environment),
            );
        }
    }
}

#[test]
fn neither_an_environments_token_nor_a_saved_one_reaches_the_others_gateway() {
    let (saved, environment) = (Gateway::start(), Gateway::start());
    let blob = |user: &str| {
        format!(r#"{{"registry":"ghcr.io","credentials":{{"USERNAME":"{user}","PASSWORD":"p"}}}}"#)
    };
    saved.plant("oci-registry-ghcr-io", &blob("of-saved"));
    environment.plant("oci-registry-ghcr-io", &blob("of-environment"));
    let node = Node::new()
        .with("BETA9_STORE", "gateway")
        .with("BETA9_API_URL", environment.url());
    let node = node
        .with("BETA9_GATEWAY_HOST", "127.0.0.1")
        .with("BETA9_TOKEN", TOKEN);
    assert_eq!(node.pair("ghcr.io").0, "of-environment");
    assert!(!environment.settled_requests().is_empty());
    std::fs::create_dir(node.home().join(".beta9")).unwrap();
    let save = |token: &str| {
        let ini = format!(
            "[default]\ntoken = {token}\ngateway_host = 127.0.0.1\ngateway_port = 1993\napi_url = {}\n",
            saved.url()
        );
        std::fs::write(node.home().join(".beta9/config.ini"), ini).unwrap();
    };
    save(TOKEN);
    assert_eq!(node.pair("ghcr.io").0, "of-saved");
    // The two tokens are told apart by what they may read.
    save(OTHER_TOKEN);
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    saved.requests();
    save("");
    assert!(node.get("ghcr.io").failure().contains(NO_TOKEN));
    assert_eq!(
        (saved.requests(), environment.requests()),
        (Vec::new(), Vec::new())
    );
    // What this program is told itself needs none of the SDK's settings.
    let node = node.with("BETA9_GATEWAY_URL", environment.url());
    assert_eq!(node.pair("ghcr.io").0, "of-environment");
    let object = json::parse_object(node.get("ghcr.io").out.as_bytes()).unwrap();
    assert_eq!(object.text("Secret").unwrap().expose(), "p");
}
