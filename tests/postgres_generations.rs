//! Databases of each of Beta9's generations: reading images and single secrets, binding, and what `migrate` creates and
//! converts.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::time::{Duration, SystemTime};

use beta9_credential::host::Host;
use beta9_credential::json::{self, Object, Value};
use beta9_credential::store::{Binding, Secret, Store};
use common::postgres::migrations::{Migration, each};
use common::postgres::relay::Relay;
use common::postgres::{Database, deadline, lookup, signing_key};
use common::{Answer, Node};

const BLOB: &str =
    r#"{"credentials":{"PASSWORD":"s","USERNAME":"u"},"registry":"ghcr.io","type":"basic"}"#;
const PAYLOAD: &str =
    r#"{"credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"},"registry":"","type":"token"}"#;
const COLUMNS: &str = "SELECT string_agg(relname || '.' || attname || ' ' || attnum, ',' ORDER BY 1) FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped AND relname NOT LIKE 'credential_helper%'";

fn store(database: &Database) -> Store {
    Store::Postgres(database.store_of(&database.workspace))
}

fn host(text: &str) -> Host {
    Host::parse(text.as_bytes()).unwrap()
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

fn resolved(payload: &str) -> Answer {
    Answer {
        status: 0,
        out: format!("{payload}\n"),
        err: String::new(),
    }
}

/// The one line of a failed `resolve`, on standard error.
fn refusal(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
    let line = answer
        .err
        .strip_prefix("docker-credential-beta9: ")
        .unwrap()
        .strip_suffix('\n')
        .unwrap();
    assert!(
        !line.contains('\n') && !line.contains("not found in native keychain"),
        "{line}"
    );
    line
}

fn texts(object: &Object, name: &str) -> Vec<String> {
    let Some(Value::Array(all)) = object.get(name) else {
        panic!("no {name}")
    };
    let text = |one: &Value| {
        if let Value::Text(text) = one {
            text.expose().to_owned()
        } else {
            panic!("{one:?}")
        }
    };
    all.iter().map(text).collect()
}

fn rows_of(json: &[u8]) -> Vec<Object> {
    let Value::Array(rows) = json::parse(json).unwrap() else {
        panic!("it is not an array")
    };
    rows.into_iter()
        .map(|row| {
            if let Value::Object(row) = row {
                row
            } else {
                panic!("{row:?}")
            }
        })
        .collect()
}

/// The expectation of a row of the fixtures: a pair, an error, or nothing. Minting is not tested here.
fn expect(node: &Node, host: &str, expected: &Value) {
    match expected {
        Value::Array(pair) => {
            let [Value::Text(user), Value::Text(secret)] = pair.as_slice() else {
                panic!("{pair:?}")
            };
            assert_eq!(
                node.pair(host),
                (user.expose().to_owned(), secret.expose().to_owned()),
                "{host}"
            );
        }
        Value::Text(word) if word.expose() == "error" => _ = node.get(host).failure(),
        Value::Text(word) if word.expose() == "not found" => {
            assert_eq!(node.get(host), Answer::not_found());
        }
        other => assert!(
            matches!(other, Value::Text(word) if word.expose() == "mint"),
            "{other:?}"
        ),
    }
}

fn pair(database: &Database) {
    database.plant_as("GITHUB_USERNAME", "u");
    database.plant_as("GITHUB_TOKEN", "t");
}

#[test]
fn a_get_reads_whole_secrets_and_single_ones_of_every_generation_in_one_query() {
    each(
        "a_get_reads_whole_secrets_and_single_ones_of_every_generation_in_one_query",
        |migration, database| {
            let relay = Relay::to(database.server.port);
            let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
            let node = database
                .node()
                .with("BETA9_DATABASE_URL", url)
                .with("BETA9_CACHE", "off");
            pair(database);
            assert_eq!(
                node.pair("ghcr.io"),
                ("u".into(), "t".into()),
                "{migration:?}"
            );
            assert_eq!(relay.take_counts(), (1, 4, 1));
            database.plant("ghcr.io", BLOB);
            assert_eq!(
                node.pair("ghcr.io"),
                ("u".into(), "s".into()),
                "{migration:?}"
            );
            assert_eq!(relay.take_counts(), (1, 4, 1));
            for host in ["ghcr.io:5000", "quay.io", "docker.io"] {
                assert_eq!(node.get(host), Answer::not_found(), "{host}");
            }
        },
    );
}

#[test]
fn an_image_is_bound_as_its_generation_has_it_and_resolved_in_one_query() {
    each(
        "an_image_is_bound_as_its_generation_has_it_and_resolved_in_one_query",
        |migration, database| {
            let relay = Relay::to(database.server.port);
            let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
            let (node, ours, ghcr) = (
                database.node().with("BETA9_DATABASE_URL", url),
                store(database),
                host("ghcr.io"),
            );
            let resolve = || node.run(&["resolve", "im"], "");
            assert_eq!(
                ours.binds_names(deadline()).unwrap(),
                Some(migration.has_names()),
                "{migration:?}"
            );

            ours.store(
                &lookup(&ghcr),
                &Secret {
                    username: "u".into(),
                    blob: BLOB.into(),
                },
            )
            .unwrap();
            let bound = ours
                .bind_image("im", &[lookup(&ghcr)])
                .map_err(|error| error.to_string());
            match bound {
                Ok(binding) => {
                    assert!(
                        migration.has_secret() && binding == Binding::Kept,
                        "{migration:?}"
                    );
                    assert_eq!(resolve(), resolved(BLOB));
                    assert_eq!(relay.take_counts(), (1, 4, 1));
                }
                Err(error) => {
                    let why = if migration.has_names() {
                        "ghcr.io: postgres store: Beta9's migration 053 has dropped the columns that bind an image to one secret; bind the image to the names of single secrets".to_owned()
                    } else {
                        let name = &database.name;
                        format!(
                            "ghcr.io: postgres store: the table image of database \"{name}\" has no column for secrets; run docker-credential-beta9 migrate"
                        )
                    };
                    assert!(
                        !migration.has_secret() && error == why,
                        "{migration:?}: {error}"
                    );
                }
            }

            pair(database);
            let all = names(&["GITHUB_USERNAME", "GITHUB_TOKEN", "GITHUB_USERNAME"]);
            let bound = ours
                .bind_names("im", &all, deadline())
                .map_err(|error| error.to_string());
            if migration.has_names() {
                assert_eq!(bound, Ok(Binding::Kept));
                assert_eq!(
                    database.sql("SELECT credential_secret_names FROM image WHERE image_id = 'im'"),
                    "{GITHUB_TOKEN,GITHUB_USERNAME}"
                );
                relay.take_counts();
                assert_eq!(resolve(), resolved(PAYLOAD), "names win: {migration:?}");
                assert_eq!(relay.take_counts(), (1, 4, 1));
                let nowhere = ours
                    .bind_names("nowhere", &all, deadline())
                    .unwrap_err()
                    .to_string();
                assert_eq!(
                    nowhere,
                    "postgres store: there is no image nowhere; build it first, or correct its id"
                );
            } else {
                assert!(bound.unwrap_err().contains(
                    "no column credential_secret_names, which Beta9's migration 053 adds"
                ));
            }
        },
    );
}

#[test]
fn migrate_adds_nothing_that_a_later_migration_dropped_and_says_what_it_found() {
    let parts = [
        "image.credential_secret_name",
        "image.credential_secret_id",
        "idx_image_credential_secret_name",
    ];
    each(
        "migrate_adds_nothing_that_a_later_migration_dropped_and_says_what_it_found",
        |migration, database| {
            let node = database.node();
            let before = database.sql(COLUMNS);
            let said = node.run(&["migrate", "--json"], "").out;
            let object = json::parse_object(said.as_bytes()).unwrap();
            let texts = |name: &str| texts(&object, name);
            let number = match migration {
                Migration::M035 => 1.0,
                Migration::M036 | Migration::M052 => 2.0,
                Migration::M053 | Migration::Both => 3.0,
            };
            assert_eq!(
                object.get("generation"),
                Some(&Value::Number(number)),
                "{migration:?}"
            );
            let expiry = ["credential_helper_expiry", "credential_helper_token"];
            let after = database.sql(COLUMNS);
            if migration == Migration::M035 {
                assert_eq!(texts("made"), [&parts[..], &expiry].concat());
                assert!(before != after && texts("left_over").is_empty());
            } else {
                assert_eq!(
                    (texts("made"), before),
                    (names(&expiry), after),
                    "{migration:?}"
                );
            }
            assert_eq!(
                texts("left_over"),
                if migration == Migration::Both {
                    names(&parts)
                } else {
                    Vec::new()
                }
            );
            // Now nothing is missing.
            let again =
                json::parse_object(node.run(&["migrate", "--json"], "").out.as_bytes()).unwrap();
            assert_eq!(
                self::texts(&again, "made"),
                Vec::<String>::new(),
                "{migration:?}"
            );
            let people = node.run(&["migrate"], "").out;
            let first = if migration == Migration::M035 {
                "2".to_owned()
            } else {
                number.to_string()
            };
            assert!(
                people.starts_with(&format!("{:<35}generation {first}: ", "the database")),
                "{people}"
            );
            assert_eq!(
                people.contains("left as it is: Beta9's migration 053"),
                migration == Migration::Both,
                "{people}"
            );
            assert!(
                people.lines().all(|line| line.chars().count() <= 80),
                "{people}"
            );
        },
    );
}

#[test]
fn a_migration_of_beta9s_that_comes_in_between_is_seen() {
    let Some(database) = Database::new("a_migration_of_beta9s_that_comes_in_between_is_seen")
    else {
        return;
    };
    let said = std::thread::scope(|scope| {
        // One message, so that only the server holds the lock.
        let beta9 = r"BEGIN\; ALTER TABLE image ADD COLUMN credential_secret_names TEXT[]\; SELECT pg_sleep(1)\; COMMIT;";
        scope.spawn(|| database.sql(beta9));
        let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'image'::regclass AND mode = 'AccessExclusiveLock' UNION ALL SELECT count(*) FROM pg_attribute WHERE attrelid = 'image'::regclass AND attname = 'credential_secret_names'";
        while database.sql(locked) == "0\n0" {}
        database.node().run(&["migrate", "--json"], "").out
    });
    assert!(
        said.starts_with(
            r#"{"generation":3,"made":["credential_helper_expiry","credential_helper_token"],"#
        ),
        "{said}"
    );
    assert_eq!(
        database.sql("SELECT count(*) FROM pg_attribute WHERE attname = 'credential_secret_name'"),
        "0"
    );
}

#[test]
fn a_pruned_secret_leaves_an_error_and_no_anonymous_pull() {
    each(
        "a_pruned_secret_leaves_an_error_and_no_anonymous_pull",
        |migration, database| {
            let (node, ours, ghcr) = (database.node(), store(database), host("ghcr.io"));
            assert_eq!(node.run(&["migrate"], "").status, 0);
            let secret = Secret {
                username: "u".into(),
                blob: BLOB.into(),
            };
            ours.store_for(&lookup(&ghcr), &secret, Some(Duration::from_secs(1)))
                .unwrap();
            let has_secret = migration.has_secret() || migration == Migration::M035;
            if has_secret {
                ours.bind_image("im", &[lookup(&ghcr)]).unwrap();
            }
            let later = SystemTime::now() + Duration::from_hours(24);
            let pruned = ours
                .prune(later, deadline(), &mut |error| panic!("{error}"))
                .unwrap();
            assert_eq!(pruned, ["oci-registry-ghcr-io"], "{migration:?}");
            let answer = node.run(&["resolve", "im", "--image", "ghcr.io/a/b"], "");
            let expected = if has_secret {
                "postgres store: image im is bound to the secret oci-registry-ghcr-io, which is gone or empty; store the secret again with docker-credential-beta9 provision, or build the image again"
            } else {
                "image im has no credential: the pull is anonymous"
            };
            assert_eq!(refusal(&answer), expected, "{migration:?}");
        },
    );
}

#[test]
fn resolve_says_which_kind_of_nothing_it_found_on_standard_error() {
    each(
        "resolve_says_which_kind_of_nothing_it_found_on_standard_error",
        |migration, database| {
            let node = database.node().with("BETA9_CACHE", "off");
            let resolve = |args: &[&str]| node.run(&[&["resolve"], args].concat(), "");
            assert_eq!(
                refusal(&resolve(&["nowhere"])),
                "postgres store: there is no image nowhere; build it first, or correct its id"
            );
            let unbound = if migration == Migration::M035 {
                "postgres store: the table image has no column for secrets; run docker-credential-beta9 migrate"
            } else {
                "image im has no credential: the pull is anonymous"
            };
            assert_eq!(refusal(&resolve(&["im"])), unbound, "{migration:?}");
            assert_eq!(
                refusal(&resolve(&["im", "--image", "ghcr.io/a/b"])),
                unbound,
                "{migration:?}"
            );
            // The registry's own secret answers for an image that is not bound.
            database.plant("ghcr.io", BLOB);
            assert_eq!(resolve(&["im", "--image", "ghcr.io/a/b"]), resolved(BLOB));
        },
    );
    let gateway = common::gateway::Gateway::start();
    assert_eq!(
        refusal(&gateway.node().run(&["resolve", "im"], "")),
        "gateway store: it knows no images; give the image's reference with --image"
    );
    let answer = gateway
        .node()
        .run(&["resolve", "im", "--image", "quay.io/a/b"], "");
    assert_eq!(
        refusal(&answer),
        "image im has no credential: the pull is anonymous"
    );
    assert!(
        refusal(&Node::new().run(&["resolve", "im"], ""))
            .starts_with("file store: there is no image im; ")
    );
    assert!(refusal(&Node::new().run(&["resolve", "../x"], "")).starts_with("image id: "));
}

#[test]
fn the_payload_of_names_is_byte_for_byte_what_beta9_makes_of_them() {
    let Some(database) = Database::after(
        Migration::M053,
        "the_payload_of_names_is_byte_for_byte_what_beta9_makes_of_them",
    ) else {
        return;
    };
    database.sql("INSERT INTO image (image_id) VALUES ('im')");
    let (node, ours) = (database.node().with("BETA9_CACHE", "off"), store(&database));
    let rows = rows_of(include_bytes!("fixtures/beta9/beta9-gen3.json"));
    assert_eq!(rows.len(), 143);
    let mut payloads = std::collections::BTreeSet::new();
    for row in &rows {
        let Some(Value::Object(secrets)) = row.get("secrets") else {
            panic!("{row:?}")
        };
        let all: Vec<&str> = secrets.iter().map(|(name, _)| name).collect();
        let all = if all.is_empty() { vec!["MISSING"] } else { all };
        let plant = |name: &&str| Some(database.planting(name, secrets.text(name)?.expose()));
        let plants: Vec<String> = all.iter().filter_map(plant).collect();
        let bind = format!(
            "UPDATE image SET credential_secret_names = '{{{}}}';",
            all.join(",")
        );
        database.sql(&format!(
            "DELETE FROM workspace_secret; {} {bind}",
            plants.concat()
        ));
        // The payload does not depend on the image.
        let payload = row.text("payload").unwrap().expose();
        if payloads.insert(payload) {
            let answer = node.run(&["resolve", "im"], "");
            if plants.is_empty() {
                assert!(
                    refusal(&answer).contains("none of the secrets that it names: MISSING; "),
                    "{answer:?}"
                );
            } else {
                assert_eq!(answer, resolved(payload));
            }
        }
        // The names, given by the request.
        let image = row.text("image").unwrap().expose();
        let request = node
            .clone_with("BETA9_IMAGE", image)
            .with("BETA9_IMAGE_SECRETS", all.join(","));
        expect(
            &request,
            image.split('/').next().unwrap(),
            row.get("expected").unwrap(),
        );
    }
    assert_eq!(payloads.len(), 18);
    // As Go writes texts.
    database.plant_as("REGISTRY_PASSWORD", "<p>&\"\\ \u{2028}\u{e9}\u{1}\n");
    database.plant_as("REGISTRY_USERNAME", "$u:v");
    ours.bind_names(
        "im",
        &names(&["REGISTRY_USERNAME", "REGISTRY_PASSWORD"]),
        deadline(),
    )
    .unwrap();
    assert_eq!(
        node.run(&["resolve", "im"], "").out,
        "{\"credentials\":{\"REGISTRY_PASSWORD\":\"\\u003cp\\u003e\\u0026\\\"\\\\ \\u2028\u{e9}\\u0001\\n\",\"REGISTRY_USERNAME\":\"$u:v\"},\"registry\":\"\",\"type\":\"basic\"}\n"
    );
}

#[test]
fn names_that_the_workspace_lacks_are_said_and_all_of_them_missing_is_an_error() {
    let test = "names_that_the_workspace_lacks_are_said_and_all_of_them_missing_is_an_error";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    database.sql("INSERT INTO image (image_id, credential_secret_names) VALUES ('im', '{B_USERNAME,B_PASSWORD,A,NULL}'), ('empty', '{}'), ('odd', '{NULL}')");
    let node = database.node();
    let resolve = |args: &[&str]| node.run(&[&["resolve"], args].concat(), "");
    let fix = "create each with: beta9 secret create NAME VALUE";
    assert_eq!(
        refusal(&resolve(&["im", "--image", "ghcr.io/a/b"])),
        format!(
            "image im: the workspace has none of the secrets that it names: A, B_PASSWORD, B_USERNAME; {fix}"
        )
    );
    for image in ["empty", "odd"] {
        assert_eq!(
            refusal(&resolve(&[image])),
            format!("image {image} has no credential: the pull is anonymous")
        );
    }
    database.plant_as("B_USERNAME", "u");
    database.plant_as("A", "");
    let answer = resolve(&["im"]);
    assert_eq!(
        answer.out,
        "{\"credentials\":{\"B_USERNAME\":\"u\"},\"registry\":\"\",\"type\":\"unknown\"}\n"
    );
    let warning = format!(
        "docker-credential-beta9: image im: of the secrets that it names the workspace lacks A, B_PASSWORD; the others are used; {fix}\n"
    );
    assert_eq!((answer.status, answer.err), (0, warning));
    // One that does not open makes all fail, as in Beta9.
    database.sql("UPDATE workspace_secret SET value = 'hunter2' WHERE name = 'A'");
    assert!(
        refusal(&resolve(&["im"])).starts_with("postgres store: the secret A: it does not open: ")
    );
    // The values are the asking workspace's.
    let other = "11111111-2222-4333-8444-555555555555";
    database.add_workspace(other, &signing_key(99));
    assert!(
        refusal(
            &node
                .clone_with("BETA9_WORKSPACE_ID", other)
                .run(&["resolve", "im"], "")
        )
        .contains("has none of")
    );
}

#[test]
fn a_secrets_hosts_decide_whatever_the_column_is() {
    let test = "a_secrets_hosts_decide_whatever_the_column_is";
    for column in ["text[]", "jsonb", "json", "varchar(99)[]"] {
        let Some(database) = Database::after(Migration::M053, test) else {
            return;
        };
        database.sql(&format!(
            "ALTER TABLE workspace_secret ADD COLUMN hosts {column}"
        ));
        let list = |hosts: &[&str]| {
            if column.contains("json") {
                format!("'{hosts:?}'")
            } else {
                format!("'{{{}}}'", hosts.join(","))
            }
        };
        let node = database.node().with("BETA9_CACHE", "off");
        let hosts = |name: &str, hosts: &str| {
            database.sql(&format!(
                "UPDATE workspace_secret SET hosts = {hosts} WHERE name LIKE '{name}'"
            ));
        };
        pair(&database);
        for good in [
            "NULL".to_owned(),
            list(&[]),
            list(&["ghcr.io"]),
            list(&["x.example", "GHCR.io"]),
        ] {
            hosts("GITHUB%", &good);
            assert_eq!(
                node.pair("ghcr.io"),
                ("u".into(), "t".into()),
                "{column} {good}"
            );
        }
        hosts("GITHUB_TOKEN", &list(&["api.github.com"]));
        assert_eq!(node.get("ghcr.io"), Answer::not_found(), "{column}");
        // A secret with a registry's whole credential too.
        database.plant("ghcr.io", BLOB);
        hosts("oci-%", &list(&["*.ghcr.io"]));
        assert!(
            node.get("ghcr.io")
                .failure()
                .contains("the secret oci-registry-ghcr-io is only for *.ghcr.io; ")
        );
        hosts("oci-%", &list(&["ghcr.io"]));
        assert_eq!(node.pair("ghcr.io").1, "s");
        // Names that an image gives, where the registry is known.
        database.plant_as("H_USERNAME", "u");
        database.plant_as("H_PASSWORD", "p");
        hosts("H_PASSWORD", &list(&["*.corp.example"]));
        database.sql("INSERT INTO image (image_id, credential_secret_names) VALUES ('im', '{H_USERNAME,H_PASSWORD}')");
        let payload =
            r#"{"credentials":{"H_PASSWORD":"p","H_USERNAME":"u"},"registry":"","type":"basic"}"#;
        assert_eq!(node.run(&["resolve", "im"], ""), resolved(payload));
        assert_eq!(
            node.run(&["resolve", "im", "--image", "harbor.corp.example/a/b"], ""),
            resolved(payload)
        );
        let answer = node.run(&["resolve", "im", "--image", "evil.example/a/b"], "");
        assert!(
            refusal(&answer)
                .starts_with("postgres store: the secret H_PASSWORD is only for *.corp.example; ")
        );
    }
}

#[test]
fn hosts_of_an_unknown_form_are_refused_and_the_secret_is_named() {
    let test = "hosts_of_an_unknown_form_are_refused_and_the_secret_is_named";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    database.sql("ALTER TABLE workspace_secret ADD COLUMN hosts jsonb");
    database.sql(
        "INSERT INTO image (image_id, credential_secret_names) VALUES ('im', '{GITHUB_TOKEN}')",
    );
    let node = database.node().with("BETA9_CACHE", "off");
    pair(&database);
    for odd in [
        r#""ghcr.io""#,
        r#"{"ghcr.io":true}"#,
        "[1]",
        r#"["ghcr.io",null]"#,
        "true",
    ] {
        database.sql(&format!(
            "UPDATE workspace_secret SET hosts = '{odd}' WHERE name = 'GITHUB_TOKEN'"
        ));
        let why = "postgres store: the secret GITHUB_TOKEN: its hosts are not a list of texts; ";
        assert!(
            node.get("ghcr.io")
                .failure()
                .starts_with(&format!("ghcr.io: {why}")),
            "{odd}"
        );
        assert!(
            refusal(&node.run(&["resolve", "im"], "")).starts_with(why),
            "{odd}"
        );
        assert_eq!(node.get("quay.io"), Answer::not_found());
    }
    database.plant("ghcr.io", BLOB);
    assert_eq!(
        node.pair("ghcr.io").1,
        "s",
        "nothing is read that the answer does not need"
    );
    database.sql("UPDATE workspace_secret SET hosts = '7' WHERE name LIKE 'oci-%'");
    assert!(
        node.get("ghcr.io")
            .failure()
            .contains("the secret oci-registry-ghcr-io: its hosts are not a list")
    );
}

#[test]
fn a_single_secret_that_does_not_open_is_an_error_only_where_it_would_be_used() {
    let test = "a_single_secret_that_does_not_open_is_an_error_only_where_it_would_be_used";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    let rule =
        "[[registry]]\nhost = \"harbor.example\"\nsecrets = [\"H_USERNAME\", \"H_PASSWORD\"]\n";
    let node = database.node().with("BETA9_CACHE", "off").configured(rule);
    pair(&database);
    database.plant_as("H_USERNAME", "u");
    database.plant_as("DOCKERHUB_USERNAME", "u");
    database.plant_as("H_PASSWORD", "p");
    assert_eq!(node.pair("harbor.example"), ("u".into(), "p".into()));
    database.sql("UPDATE workspace_secret SET value = 'hunter2' WHERE name IN ('GITHUB_TOKEN', 'H_PASSWORD', 'DOCKERHUB_USERNAME')");
    for (host, name) in [
        ("ghcr.io", "GITHUB_TOKEN"),
        ("harbor.example", "H_PASSWORD"),
    ] {
        let answer = node.get(host);
        assert!(
            answer.failure().starts_with(&format!(
                "{host}: postgres store: the secret {name}: it does not open: "
            )),
            "{answer:?}"
        );
    }
    // Half a pair is not used, and single secrets that are not named are not read.
    for (host, singles) in [
        ("docker.io", "pairs"),
        ("quay.io", "all"),
        ("ghcr.io", "named"),
    ] {
        let config = format!("[store]\nsingle_secrets = \"{singles}\"\n");
        assert_eq!(
            database.node().configured(&config).get(host),
            Answer::not_found(),
            "{host} {singles}"
        );
    }
    // Only the named ones count, and a login can't replace them.
    database.plant("harbor.example", &BLOB.replace("ghcr.io", "harbor.example"));
    assert_eq!(node.get("harbor.example").status, 1);
    for answer in [
        node.store("harbor.example", "u", "hunter2"),
        node.erase("harbor.example"),
    ] {
        let why = "harbor.example: postgres store: its credential is the single secrets H_USERNAME, H_PASSWORD; ";
        assert!(answer.failure().starts_with(why), "{answer:?}");
    }
    database.sql("DELETE FROM workspace_secret WHERE name = 'H_PASSWORD'");
    assert!(
        node.get("harbor.example")
            .failure()
            .ends_with("create it with: beta9 secret create H_PASSWORD VALUE")
    );
}

#[test]
fn a_request_names_the_single_secrets_of_the_image_that_it_pulls() {
    let test = "a_request_names_the_single_secrets_of_the_image_that_it_pulls";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    database.plant_as("H_USERNAME", "u");
    database.plant_as("H_PASSWORD", "p");
    let node = database
        .node()
        .with("BETA9_IMAGE_SECRETS", "H_USERNAME, H_PASSWORD");
    let pulls = node.clone_with("BETA9_IMAGE", "harbor.corp.example/org/app:1");
    assert_eq!(pulls.pair("harbor.corp.example"), ("u".into(), "p".into()));
    // The next pull has the new value.
    database.plant_as("H_PASSWORD", "new");
    assert_eq!(pulls.pair("harbor.corp.example").1, "new");
    assert_eq!(pulls.get("quay.io"), Answer::not_found());
}

#[test]
fn a_single_secret_is_written_only_over_the_very_value_that_was_read() {
    let test = "a_single_secret_is_written_only_over_the_very_value_that_was_read";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    let ours = store(&database);
    let put = |name: &str, value: &str, old: Option<&str>| {
        let old = old.map(Into::into);
        ours.change_single(name, old.as_ref(), Some(&value.into()), deadline())
            .map_err(|error| error.to_string())
    };
    assert!(
        put("A", "1", Some("0"))
            .unwrap_err()
            .contains("the secret A no longer exists; nothing was changed")
    );
    assert_eq!(put("A", "1", None), Ok(()));
    assert_eq!(database.opened("A"), "1");
    assert!(
        put("A", "2", None)
            .unwrap_err()
            .contains("the secret A is there already; ")
    );
    assert!(
        put("A", "2", Some("0"))
            .unwrap_err()
            .contains("the secret A was changed meanwhile; ")
    );
    assert_eq!(put("A", "2", Some("1")), Ok(()));
    assert_eq!(database.opened("A"), "2");
    assert!(
        put("not-a-name", "1", None)
            .unwrap_err()
            .contains("cannot have this name in Beta9")
    );
    database.sql("UPDATE workspace_secret SET value = 'damaged'");
    assert!(
        put("A", "3", Some("2"))
            .unwrap_err()
            .contains("it does not open")
    );
    assert_eq!(
        database.sql("SELECT name, value FROM workspace_secret"),
        "A|damaged"
    );
    let singles = ours
        .singles(&names(&["A"]), deadline())
        .map_err(|error| error.to_string());
    assert!(
        singles
            .unwrap_err()
            .contains("the secret A: it does not open")
    );
    pair(&database);
    let singles = ours
        .singles(&names(&["GITHUB_TOKEN", "NO_SUCH"]), deadline())
        .unwrap();
    let shown: Vec<_> = singles
        .iter()
        .map(|single| (single.name.as_str(), single.value.expose()))
        .collect();
    assert_eq!(shown, [("GITHUB_TOKEN", "t")]);
    // Of many writers with the same old value, one succeeds.
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|number: u32| {
                let ours = store(&database);
                scope.spawn(move || {
                    let value = number.to_string().as_str().into();
                    ours.change_single("GITHUB_TOKEN", Some(&"t".into()), Some(&value), deadline())
                        .is_ok()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
}

#[test]
fn what_beta9s_builder_stored_is_answered_and_so_is_every_shape_of_secret() {
    let test = "what_beta9s_builder_stored_is_answered_and_so_is_every_shape_of_secret";
    let Some(database) = Database::after(Migration::M052, test) else {
        return;
    };
    let node = database.node().with("BETA9_CACHE", "off");
    let built = rows_of(include_bytes!("fixtures/beta9/beta9-built.json"));
    assert_eq!(built.len(), 51);
    for row in &built {
        let [image, name, value] =
            ["image", "name", "value"].map(|member| row.text(member).unwrap().expose());
        database.sql(&format!(
            "DELETE FROM workspace_secret; {}",
            database.planting(name, value)
        ));
        if !matches!(row.get("answer"), Some(Value::Null)) {
            expect(
                &node,
                image.split('/').next().unwrap(),
                row.get("answer").unwrap(),
            );
        }
    }
    let secrets = rows_of(include_bytes!("fixtures/beta9/beta9-secrets.json"));
    assert_eq!(secrets.len(), 149);
    for row in &secrets {
        let [registry, secret] =
            ["registry", "secret"].map(|member| row.text(member).unwrap().expose());
        let name = format!("oci-registry-{}", registry.replace(['.', ':'], "-"));
        database.sql(&format!(
            "DELETE FROM workspace_secret; {}",
            database.planting(&name, secret)
        ));
        // Its carrier binds it.
        let rule = format!("[[registry]]\nhost = \"{registry}\"\nsecret = \"{name}\"\n");
        let node = database.node().with("BETA9_CACHE", "off").configured(&rule);
        expect(&node, registry, row.get("expected").unwrap());
    }
}

#[test]
fn an_empty_secret_is_nobodys_and_is_replaced_or_removed() {
    let Some(database) = Database::new("an_empty_secret_is_nobodys_and_is_replaced_or_removed")
    else {
        return;
    };
    let node = database.node().with("BETA9_CACHE", "off");
    for (host, empty) in [
        ("quay.io", ""),
        ("harbor.corp.example", ""),
        ("ghcr.io", "{}"),
    ] {
        database.plant(host, empty);
        let found = node.get(host);
        assert!(if empty.is_empty() {
            found.failure().contains("the secret is neither")
        } else {
            found == Answer::not_found()
        });
        assert_eq!(node.store(host, "u", "s"), Answer::silence());
        assert_eq!(node.pair(host), ("u".into(), "s".into()));
        assert_eq!(database.sql("SELECT count(*) FROM workspace_secret"), "1");
        database.plant(host, empty);
        assert_eq!(node.erase(host), Answer::silence());
        assert_eq!(database.secret_names(), "");
    }
}
