//! The store in Beta9's database, against a real PostgreSQL: its rows, its names, its errors, its outages.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use beta9_credential::json::{self, Value};
use common::postgres::pooler::Pooler;
use common::postgres::relay::{Mood, Relay};
use common::postgres::{Database, PASSWORD_IN_URL, USER, open, seal, signing_key};
use common::{Answer, Node};

/// A text that only the server may see: the start of the password, common to all its spellings.
const PASSWORD: &str = "hunter2";

fn blob(host: &str, password: &str) -> String {
    format!(
        r#"{{"registry":"{host}","type":"basic","credentials":{{"USERNAME":"u","PASSWORD":"{password}"}}}}"#
    )
}

/// The one line of a failed `get`, which names the registry and the store, and never the password.
fn failure(node: &Node) -> String {
    let answer = node.get("ghcr.io");
    let line = answer.failure();
    assert!(
        line.starts_with("ghcr.io: postgres store: ") && !line.contains(PASSWORD),
        "{line}"
    );
    line.strip_prefix("ghcr.io: postgres store: ")
        .unwrap()
        .to_owned()
}

#[test]
fn what_is_stored_is_a_row_as_beta9_writes_it_and_opens_by_its_rules() {
    let Some(database) =
        Database::new("what_is_stored_is_a_row_as_beta9_writes_it_and_opens_by_its_rules")
    else {
        return;
    };
    let node = database.node();
    assert_eq!(node.store("ghcr.io", "octo", "s1"), Answer::silence());
    assert_eq!(
        database.opened("oci-registry-ghcr-io"),
        r#"{"credentials":{"PASSWORD":"s1","USERNAME":"octo"},"registry":"ghcr.io","type":"basic"}"#
    );
    database
        .sql("UPDATE workspace_secret SET last_updated_by = 7, updated_at = '2020-01-01', created_at = '2020-01-01'");
    let before = database.sql("SELECT id, external_id FROM workspace_secret");
    assert_eq!(node.store("ghcr.io", "octo", "s2"), Answer::silence());
    assert_eq!(
        database.sql("SELECT id, external_id FROM workspace_secret"),
        before
    );
    assert!(
        database
            .opened("oci-registry-ghcr-io")
            .contains(r#""PASSWORD":"s2""#)
    );
    let times = "SELECT created_at < '2021-01-01', updated_at > '2021-01-01', last_updated_by IS NULL FROM workspace_secret";
    assert_eq!(database.sql(times), "t|t|t");
    // No two sealed values are equal, so nobody can see that two secrets are.
    node.store("quay.io", "octo", "s2");
    assert_eq!(
        database.sql("SELECT count(DISTINCT value) FROM workspace_secret"),
        "2"
    );
}

#[test]
fn what_beta9_sealed_is_answered_and_what_it_would_refuse_is_an_error() {
    let Some(database) =
        Database::new("what_beta9_sealed_is_answered_and_what_it_would_refuse_is_an_error")
    else {
        return;
    };
    let vectors = json::parse_object(include_bytes!("fixtures/beta9-seal.json")).unwrap();
    let (mut answered, mut refused) = (0, 0);
    for part in ["good", "bad"] {
        let Some(Value::Array(cases)) = vectors.get(part) else {
            panic!("no {part}")
        };
        for case in cases {
            let Value::Object(case) = case else {
                panic!("{case:?}")
            };
            let text = |key: &str| case.text(key).unwrap().expose().to_owned();
            database.sql(&format!(
                "UPDATE workspace SET signing_key = '{}'",
                text("signing_key")
            ));
            database.plant_sealed(&database.workspace, "oci-registry-ghcr-io", &text("sealed"));
            if part == "bad" {
                let line = failure(&database.node());
                assert!(
                    line.contains("does not open") || line.contains("signing_key cannot be used"),
                    "{line}"
                );
                refused += 1;
                continue;
            }
            let (username, password) = match text("plaintext").as_str() {
                "user:pa:ss{word}" => ("user", "pa:ss{word}"),
                blob if blob.contains("GITHUB_TOKEN") => ("octo", "ghp_example"),
                _ => {
                    assert!(
                        failure(&database.node())
                            .contains("the secret is neither a JSON object nor username:password")
                    );
                    continue;
                }
            };
            assert_eq!(
                database.node().pair("ghcr.io"),
                (username.into(), password.into())
            );
            answered += 1;
        }
    }
    assert!(answered >= 2 && refused >= 8, "{answered} {refused}");
}

#[test]
fn every_generation_of_names_is_found_and_the_blob_that_names_the_registry_wins() {
    let Some(database) = Database::new(
        "every_generation_of_names_is_found_and_the_blob_that_names_the_registry_wins",
    ) else {
        return;
    };
    let node = database.node().with("BETA9_CACHE", "off");
    // From the least preferred to the most.
    let names = [
        "OCI_CREDS_0fd460f0568e29c1",
        "oci-creds-0fd460f0568e29c1",
        "OCI_REGISTRY_GHCR_IO",
        "oci-registry-ghcr-io",
    ];
    for (number, name) in names.iter().enumerate() {
        database.plant_as(name, &format!("flat:{number}"));
        assert_eq!(node.pair("ghcr.io"), ("flat".into(), number.to_string()));
    }
    for (number, name) in names.iter().enumerate() {
        database.plant_as(name, &blob("ghcr.io", &number.to_string()));
        assert_eq!(node.pair("ghcr.io"), ("u".into(), number.to_string()));
    }
    // A secret with this registry recorded is used, even beside unreadable ones.
    database.sql("UPDATE workspace_secret SET value = 'damaged' WHERE name LIKE 'oci-registry-%'");
    assert_eq!(node.pair("ghcr.io").1, "2");
    // It is that one that is replaced.
    node.store("ghcr.io", "u", "new");
    assert!(database.opened("OCI_REGISTRY_GHCR_IO").contains("new"));
    assert_eq!(node.pair("ghcr.io").1, "new");
}

#[test]
fn erase_takes_all_of_a_registrys_secrets_and_nobody_elses() {
    let Some(database) = Database::new("erase_takes_all_of_a_registrys_secrets_and_nobody_elses")
    else {
        return;
    };
    let node = database.node();
    database.plant_as("oci-registry-ghcr-io", &blob("ghcr-io", "other"));
    database.plant_as("OCI_REGISTRY_GHCR_IO", &blob("ghcr.io", "1"));
    database.plant_as("oci-creds-0fd460f0568e29c1", "flat:2");
    database.plant_as("MY_API_KEY", "none of our business");
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(database.secret_names(), "MY_API_KEY,oci-registry-ghcr-io");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    // What cannot be read may be another registry's.
    database.sql("UPDATE workspace_secret SET value = 'damaged' WHERE name LIKE 'oci-%'");
    let answer = node.erase("ghcr.io");
    assert!(
        answer
            .failure()
            .contains("the secret oci-registry-ghcr-io: it does not open: "),
        "{answer:?}"
    );
    assert_eq!(database.secret_names(), "MY_API_KEY,oci-registry-ghcr-io");
    // A new secret is stored beside it, and the registry works again.
    assert_eq!(node.store("ghcr.io", "u", "s"), Answer::silence());
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "s".into()));
    assert_eq!(
        database.secret_names(),
        "MY_API_KEY,oci-creds-0fd460f0568e29c1,oci-registry-ghcr-io"
    );
}

#[test]
fn a_secret_that_names_no_registry_is_nobodys_under_a_name_that_other_hosts_have() {
    let Some(database) = Database::new("a_secret_that_names_no_registry_is_nobodys") else {
        return;
    };
    let (node, host) = (database.node(), "registry-one.example");
    database.plant_as("oci-registry-registry-one-example", "octo:theirs");
    let answer = node.get(host);
    assert!(
        answer
            .failure()
            .contains("does not say which registry it is for, and other hosts have that name"),
        "{answer:?}"
    );
    assert_eq!(node.erase(host).failure(), answer.failure());
    assert_eq!(node.store(host, "u", "ours"), Answer::silence());
    assert_eq!(node.pair(host), ("u".into(), "ours".into()));
    assert_eq!(
        database.opened("oci-registry-registry-one-example"),
        "octo:theirs"
    );
    let rule = format!(
        "[[registry]]\nhost = \"{host}\"\nsecret = \"oci-registry-registry-one-example\"\n"
    );
    assert_eq!(
        database.node().configured(&rule).pair(host),
        ("octo".into(), "theirs".into())
    );
}

#[test]
fn a_rule_names_the_secret_and_then_no_other_counts() {
    let Some(database) = Database::new("a_rule_names_the_secret_and_then_no_other_counts") else {
        return;
    };
    let node = database
        .node()
        .configured("[[registry]]\nhost = \"ghcr.io\"\nsecret = \"team's %_own\"");
    database.plant("ghcr.io", &blob("ghcr.io", "derived"));
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.store("ghcr.io", "u", "named"), Answer::silence());
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "named".into()));
    assert_eq!(database.secret_names(), "oci-registry-ghcr-io,team's %_own");
    database.sql(&format!(
        "UPDATE workspace_secret SET value = '{}' WHERE name LIKE 'team%'",
        seal(&database.signing_key, &blob("quay.io", "other"))
    ));
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    let answer = node.store("ghcr.io", "u", "s");
    assert!(
        answer
            .failure()
            .contains("is another registry's, or cannot be read"),
        "{answer:?}"
    );
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(database.secret_names(), "oci-registry-ghcr-io,team's %_own");
}

#[test]
fn writers_of_registries_that_share_a_name_keep_off_each_others_secrets() {
    let Some(database) =
        Database::new("writers_of_registries_that_share_a_name_keep_off_each_others_secrets")
    else {
        return;
    };
    let node = database.node();
    let hosts = ["a-b.example", "a.b.example"];
    let writers: Vec<_> = (0..64)
        .map(|number| {
            let request = common::store_request(
                hosts[number % 2],
                &format!("u{}", number % 2),
                &number.to_string(),
            );
            node.start(&["store"], request.as_bytes())
        })
        .collect();
    for writer in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
    }
    for (number, host) in hosts.iter().enumerate() {
        let (username, password) = node.pair(host);
        assert_eq!(username, format!("u{number}"));
        assert_eq!(password.parse::<usize>().unwrap() % 2, number);
    }
    assert_eq!(database.sql("SELECT count(*) FROM workspace_secret"), "2");
}

#[test]
fn a_writer_that_takes_no_lock_is_noticed() {
    let Some(database) = Database::new("a_writer_that_takes_no_lock_is_noticed") else {
        return;
    };
    // Whatever a writer of ours has read, another registry's secret has its place before it writes.
    let other = seal(&database.signing_key, &blob("ghcr-io", "other"));
    database.sql(&format!(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.name = 'oci-registry-ghcr-io' AND NEW.value <> '{other}' THEN
                 INSERT INTO workspace_secret (name, value, workspace_id) VALUES (NEW.name, '{other}', NEW.workspace_id)
                 ON CONFLICT (workspace_id, name) DO UPDATE SET value = EXCLUDED.value;
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER meddle BEFORE INSERT ON workspace_secret FOR EACH ROW EXECUTE FUNCTION meddle();"
    ));
    let node = database.node();
    assert_eq!(node.store("ghcr.io", "u", "s"), Answer::silence());
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "s".into()));
    assert!(database.opened("oci-registry-ghcr-io").contains("other"));
    assert_eq!(
        database.secret_names(),
        "oci-creds-0fd460f0568e29c1,oci-registry-ghcr-io"
    );
}

#[test]
fn workspaces_do_not_see_each_others_secrets() {
    let Some(database) = Database::new("workspaces_do_not_see_each_others_secrets") else {
        return;
    };
    let other = "ffffffff-0000-4000-8000-00000000000A";
    database.add_workspace(other, &signing_key(4711));
    let nodes = [
        database.node(),
        database.node().with("BETA9_WORKSPACE_ID", other),
    ];
    let writers: Vec<_> = (0..16)
        .map(|number| {
            let request = common::store_request("ghcr.io", &format!("w{}", number % 2), "s");
            nodes[number % 2].start(&["store"], request.as_bytes())
        })
        .collect();
    for writer in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
    }
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(node.pair("ghcr.io").0, format!("w{number}"));
        assert_eq!(node.list(), format!("{{\"ghcr.io\":\"w{number}\"}}\n"));
    }
    assert_eq!(nodes[0].erase("ghcr.io"), Answer::silence());
    assert_eq!(nodes[0].get("ghcr.io"), Answer::not_found());
    assert_eq!(nodes[1].pair("ghcr.io").0, "w1");
    // Each value is sealed with its own workspace's key, so that a row moved by hand does not open.
    database.sql("UPDATE workspace_secret SET workspace_id = (SELECT min(id) FROM workspace)");
    assert!(
        failure(&nodes[0].clone_with("BETA9_CACHE", "off"))
            .contains("was the workspace's signing_key changed?")
    );
}

#[test]
fn list_opens_what_is_a_registrys_and_says_what_it_leaves_out() {
    let Some(database) =
        Database::new("list_opens_what_is_a_registrys_and_says_what_it_leaves_out")
    else {
        return;
    };
    let node = database.node();
    assert_eq!(node.list(), "{}\n");
    database.plant(
        "ghcr.io",
        r#"{"registry":"ghcr.io","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"t"}}"#,
    );
    database.plant_as("OCI_REGISTRY_GHCR_IO", &blob("ghcr.io", "older"));
    database.plant_as("OCI_CREDS_0123456789abcdef", &blob("quay.io", "s"));
    database.plant(
        "nvcr.io",
        r#"{"registry":"nvcr.io","type":"public","credentials":{}}"#,
    );
    database.plant_as("ociXregistry-x", &blob("x.example", "s"));
    database.plant_as("OCI-REGISTRY-Y", &blob("y.example", "s"));
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\",\"quay.io\":\"u\"}\n");
    database.plant_as("oci-registry-flat-example", "u:hunter2");
    database.sql("UPDATE workspace_secret SET value = 'damaged' WHERE name LIKE 'OCI_CREDS%'");
    let answer = node.run(&["list"], "");
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "{\"ghcr.io\":\"octo\"}\n")
    );
    let lines: Vec<&str> = answer.err.lines().collect();
    assert!(
        lines[0]
            .contains("the secret oci-registry-flat-example does not say which registry it is for"),
        "{lines:?}"
    );
    assert!(
        lines[1]
            .contains("the secret OCI_CREDS_0123456789abcdef: it does not open: it is not base64"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_get_asks_one_query_over_one_connection_cold_or_warm() {
    let Some(database) = Database::new("a_get_asks_one_query_over_one_connection_cold_or_warm")
    else {
        return;
    };
    let relay = Relay::to(database.server.port);
    let place = format!("localhost:{}", relay.port);
    database.plant("ghcr.io", &blob("ghcr.io", "s"));
    let node = database.node().with(
        "BETA9_DATABASE_URL",
        database.url_at(&place, "?sslmode=disable&hostaddr=127.0.0.1"),
    );
    for _ in ["cold", "warm"] {
        node.pair("ghcr.io");
        // Start, log-in in two steps (SCRAM), and the query.
        assert_eq!(relay.take_counts(), (1, 4, 1));
    }
    let counts = common::within_a_miss_life(|| {
        [(); 2].map(|()| {
            assert_eq!(node.get("quay.io"), Answer::not_found());
            relay.take_counts()
        })
    });
    assert_eq!(
        counts,
        [(1, 4, 1), (0, 0, 0)],
        "a miss is remembered for seconds"
    );
}

#[test]
fn whatever_is_wrong_is_said_in_one_line_with_what_to_do() {
    let Some(database) = Database::new("whatever_is_wrong_is_said_in_one_line_with_what_to_do")
    else {
        return;
    };
    let place = format!("127.0.0.1:{}", database.server.port);
    let at = |url: String| failure(&database.node().with("BETA9_DATABASE_URL", url));
    let name = &database.name;

    assert_eq!(
        at(format!(
            "postgres://{USER}:{PASSWORD_IN_URL}x@{place}/{name}?sslmode=disable"
        )),
        format!(
            "{place} refused the password of user \"postgres\"; correct BETA9_DATABASE_URL, or url in [store.postgres]"
        )
    );
    assert!(
        at(format!("postgres://{USER}@{place}/{name}?sslmode=disable"))
            .contains("asks for a password, and the connection URL has none")
    );
    assert_eq!(
        at(format!(
            "postgres://{USER}:{PASSWORD_IN_URL}@{place}/nowhere?sslmode=disable"
        )),
        format!(
            "{place} has no database \"nowhere\"; correct BETA9_DATABASE_URL, or url in [store.postgres]"
        )
    );
    assert_eq!(
        at(database.url_at("127.0.0.1:1", "")),
        "127.0.0.1:1 refused the connection; check whether the database runs and this node reaches it"
    );
    assert!(
        // `Database::node` gives it 60 s: it is the resolver that must come to its end first.
        at(database.url_at("no-such-host.invalid", ""))
            .starts_with("the name in no-such-host.invalid:5432 cannot be resolved; ")
    );
    assert!(at(database.url_at("%2Fnowhere", "")).starts_with("there is no socket in /nowhere; "));
    assert!(
        at(format!("postgres://{USER}:a@{PASSWORD}@{place}/{name}"))
            .starts_with("the connection URL cannot be read; ")
    );
    assert!(
        failure(&database.node().without("BETA9_DATABASE_URL"))
            .starts_with("there is no connection URL; set BETA9_DATABASE_URL")
    );

    assert_eq!(
        failure(&database.node().without("BETA9_WORKSPACE_ID")),
        "the workspace \"default\" is not the id of one; set workspace in the configuration, or BETA9_WORKSPACE_ID, to its external id, a UUID"
    );
    let nobodys = "11111111-2222-4333-8444-555555555555";
    assert_eq!(
        failure(&database.node().with("BETA9_WORKSPACE_ID", nobodys)),
        format!(
            "the database has no workspace {nobodys}; correct workspace in the configuration, or BETA9_WORKSPACE_ID"
        )
    );

    database.plant("ghcr.io", &blob("ghcr.io", PASSWORD));
    database.sql(&format!(
        "UPDATE workspace SET signing_key = '{}'",
        signing_key(4712)
    ));
    assert_eq!(
        failure(&database.node()),
        "the secret oci-registry-ghcr-io: it does not open: it was sealed with another key, or is damaged; was the workspace's signing_key changed? put it back, or store the secret again"
    );
    for (key, why) in [
        ("NULL", "it is empty"),
        ("'sk_hunter2'", "the key is not base64"),
        ("'hunter2'", "the signing key does not begin with sk_"),
    ] {
        database.sql(&format!("UPDATE workspace SET signing_key = {key}"));
        assert_eq!(
            failure(&database.node()),
            format!(
                "the workspace's signing_key cannot be used: {why}; put the workspace's own key back into the database"
            )
        );
    }
    // Without anything to open, the key does not matter.
    assert_eq!(database.node().get("quay.io"), Answer::not_found());
}

#[test]
fn a_user_without_rights_is_reported_on_which_table() {
    let Some(database) = Database::new("a_user_without_rights_is_reported_on_which_table") else {
        return;
    };
    let user = format!("limited_{}", database.name);
    let login = format!(
        "postgres://{user}:{PASSWORD_IN_URL}@127.0.0.1:{}/{}?sslmode=disable",
        database.server.port, database.name
    );
    database.sql(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'hunter2@/:?'; GRANT SELECT ON workspace TO {user};"
    ));
    let node = database.node().with("BETA9_DATABASE_URL", login);
    let line = failure(&node);
    let expected = format!(
        "user \"{user}\" may not use the table workspace_secret in database \"{}\"; grant SELECT on ",
        database.name
    );
    assert!(line.starts_with(&expected), "{line}");
    // Reading needs no more than reading.
    database.sql(&format!("GRANT SELECT ON workspace_secret TO {user}"));
    database.plant("ghcr.io", &blob("ghcr.io", "s"));
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "s".into()));
    for answer in [
        node.store("ghcr.io", "u", "s2"),
        node.store("quay.io", "u", "s"),
        node.erase("ghcr.io"),
    ] {
        assert!(
            answer
                .failure()
                .contains("may not use the table workspace_secret"),
            "{answer:?}"
        );
    }
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "s".into()));
    database.sql(&format!("REVOKE ALL ON workspace FROM {user}"));
    assert!(failure(&node).contains("may not use the table workspace in"));
}

#[test]
fn a_database_that_is_not_beta9s_is_reported_as_that() {
    let Some(database) = Database::empty("a_database_that_is_not_beta9s_is_reported_as_that")
    else {
        return;
    };
    let line = failure(&database.node());
    assert!(
        line.starts_with(&format!(
            "database \"{}\" has no table workspace, so it is not Beta9's; ",
            database.name
        )),
        "{line}"
    );
    database.sql("CREATE TABLE workspace (id int); CREATE TABLE workspace_secret (id int)");
    assert!(failure(&database.node()).contains("are not Beta9's (42703)"));
}

#[test]
fn an_unreachable_store_is_bridged_with_a_warning_and_a_refusing_one_is_not() {
    let Some(database) =
        Database::new("an_unreachable_store_is_bridged_with_a_warning_and_a_refusing_one_is_not")
    else {
        return;
    };
    let relay = Relay::to(database.server.port);
    let place = format!("127.0.0.1:{}", relay.port);
    let node = database.node().with(
        "BETA9_DATABASE_URL",
        database.url_at(&place, "?sslmode=disable"),
    );
    database.plant("ghcr.io", &blob("ghcr.io", "s1"));
    assert_eq!(node.pair("ghcr.io").1, "s1");
    for (mood, why) in [
        (Mood::Closes, "the connection"),
        (
            Mood::CutsTheQuery,
            "closed the connection without an answer",
        ),
        (Mood::Silent, "it did not answer in time"),
    ] {
        relay.becomes(mood);
        // Only silence uses up the timeout; the other cases have a long one, for a busy machine.
        let node = node.clone_with(
            "BETA9_TIMEOUT",
            if mood == Mood::Silent { "2s" } else { "60s" },
        );
        let answer = node.get("ghcr.io");
        assert!(
            answer.status == 0 && answer.out.contains("s1"),
            "{answer:?}"
        );
        assert!(
            answer.err.contains("ghcr.io: postgres store: ") && answer.err.contains(why),
            "{answer:?}"
        );
        assert!(
            answer.err.ends_with("; its last answer is used\n") && !answer.err.contains(PASSWORD),
            "{answer:?}"
        );
        // Without an earlier answer, there is no last answer.
        let line = node.get("quay.io");
        assert!(line.failure().contains(why), "{line:?}");
        let line = node.clone_with("BETA9_STALE_IF_ERROR", "0s").get("ghcr.io");
        assert!(line.failure().contains(why), "{line:?}");
    }
    // The last answer is used only in outages.
    relay.becomes(Mood::Faithful);
    let wrong = node.clone_with(
        "BETA9_DATABASE_URL",
        format!(
            "postgres://{USER}:x@{place}/{}?sslmode=disable",
            database.name
        ),
    );
    assert!(failure(&wrong).contains("refused the password"));
    database.sql("ALTER TABLE workspace_secret RENAME TO elsewhere");
    assert!(failure(&node).contains("has no table workspace_secret"));
    database.sql("ALTER TABLE elsewhere RENAME TO workspace_secret");
    // After the outage, changes are visible at once.
    database.plant("ghcr.io", &blob("ghcr.io", "s2"));
    assert_eq!(node.pair("ghcr.io").1, "s2");
    database.sql("DELETE FROM workspace_secret");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    relay.becomes(Mood::Closes);
    // A removed secret is not returned in an outage.
    assert_eq!(node.get("ghcr.io").status, 1);
}

#[test]
fn a_server_that_refuses_everyone_ends_its_last_answer() {
    let Some(database) = Database::new("a_server_that_refuses_everyone_ends_its_last_answer")
    else {
        return;
    };
    let user = format!("dismissed_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'hunter2@/:?'; GRANT SELECT ON workspace, workspace_secret TO {user}"
    ));
    database.plant("ghcr.io", &blob("ghcr.io", "s"));
    let relay = Relay::to(database.server.port);
    let place = format!("127.0.0.1:{}/{}", relay.port, database.name);
    let url = format!("postgres://{user}:{PASSWORD_IN_URL}@{place}?sslmode=disable");
    let node = database.node().with("BETA9_DATABASE_URL", url);
    for (dismiss, refusal, take_back) in [
        (
            format!("REVOKE SELECT ON workspace_secret FROM {user}"),
            "may not use the table workspace_secret",
            format!("GRANT SELECT ON workspace_secret TO {user}"),
        ),
        (
            format!("ALTER ROLE {user} PASSWORD 'another'"),
            "refused the password",
            format!("ALTER ROLE {user} PASSWORD 'hunter2@/:?'"),
        ),
        (
            format!("ALTER ROLE {user} NOLOGIN"),
            "does not let user",
            format!("ALTER ROLE {user} LOGIN"),
        ),
    ] {
        assert_eq!(node.pair("ghcr.io").1, "s");
        relay.becomes(Mood::Closes);
        assert!(node.get("ghcr.io").err.contains("its last answer is used"));
        relay.becomes(Mood::Faithful);
        database.sql(&dismiss);
        assert!(failure(&node).contains(refusal), "{dismiss}");
        relay.becomes(Mood::Closes);
        let answer = node.get("ghcr.io");
        assert!(
            !answer.failure().contains("last answer"),
            "{dismiss}: {answer:?}"
        );
        relay.becomes(Mood::Faithful);
        database.sql(&take_back);
    }
}

#[test]
fn sslmode_decides_on_tls_and_on_whom_to_believe() {
    let Some(database) = Database::new("sslmode_decides_on_tls_and_on_whom_to_believe") else {
        return;
    };
    let Some(ca) = &database.server.ca else {
        println!("skip sslmode_decides_on_tls_and_on_whom_to_believe: there is no openssl here");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    // Copied, because the original belongs to the database's account, which could replace it.
    let own = scratch.path().join("ca.pem");
    std::fs::copy(ca, &own).unwrap();
    let ca = own.to_str().unwrap();
    let strangers = scratch.path().join("stranger.pem").display().to_string();
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "3",
        ])
        .args([
            "-subj",
            "/CN=somebody else",
            "-keyout",
            "/dev/null",
            "-out",
            &strangers,
        ])
        .output()
        .unwrap();
    assert!(made.status.success());
    database.plant("ghcr.io", &blob("ghcr.io", "s"));
    let port = database.server.port;
    let (named, other) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let get = |place: &str, options: &str| {
        let url = database.url_at(place, &format!("?{options}&hostaddr=127.0.0.1"));
        database.node().with("BETA9_DATABASE_URL", url)
    };
    for options in [
        "sslmode=prefer".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=require&sslrootcert={ca}"),
        format!("sslmode=verify-ca&sslrootcert={ca}"),
    ] {
        for place in [&named, &other] {
            assert_eq!(get(place, &options).pair("ghcr.io").1, "s", "{options}");
        }
    }
    assert_eq!(
        get(&named, &format!("sslmode=verify-full&sslrootcert={ca}"))
            .pair("ghcr.io")
            .1,
        "s"
    );
    for options in [
        "sslmode=verify-full",
        "sslmode=verify-ca",
        "sslrootcert=system",
    ] {
        assert_eq!(
            get(&named, options)
                .with("SSL_CERT_FILE", ca)
                .pair("ghcr.io")
                .1,
            "s",
            "{options}"
        );
        let line = failure(&get(&other, options).with("SSL_CERT_FILE", ca));
        assert!(line.contains("is for another name"), "{options}: {line}");
        let line = failure(&get(&named, options));
        assert!(
            line.contains("is signed by nobody that this system trusts"),
            "{options}: {line}"
        );
    }
    assert_eq!(
        failure(&get(
            &other,
            &format!("sslmode=verify-full&sslrootcert={ca}")
        )),
        format!(
            "the certificate of {other} is for another name (sslmode=verify-full); connect by the name it is for; sslmode=verify-ca with an sslrootcert does without"
        )
    );
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        let line = failure(&get(
            &named,
            &format!("sslmode={mode}&sslrootcert={strangers}"),
        ));
        assert!(line.contains("is signed by nobody"), "{mode}: {line}");
    }
    let line = failure(&get(&named, "sslmode=verify-ca&sslrootcert=/nowhere.pem"));
    assert!(
        line.starts_with("sslrootcert /nowhere.pem cannot be used ("),
        "{line}"
    );
    // A server that has none.
    let relay = Relay::to(port);
    relay.becomes(Mood::NoTls);
    let place = format!("127.0.0.1:{}", relay.port);
    let line = failure(&get(&place, "sslmode=require"));
    assert!(
        line.starts_with(&format!(
            "{place} offers no TLS, which sslmode=require requires; "
        )),
        "{line}"
    );
}

#[test]
fn a_list_fails_where_the_server_refuses_who_asks_and_not_where_it_is_out_of_reach() {
    let case = "a_list_fails_where_the_server_refuses_who_asks_and_not_where_it_is_out_of_reach";
    let Some(database) = Database::new(case) else {
        return;
    };
    let (name, port) = (&database.name, database.server.port);
    database.sql(&format!(
        "CREATE ROLE barred_{name} PASSWORD 'hunter2@/:?'; CREATE ROLE reader_{name} LOGIN PASSWORD 'hunter2@/:?'"
    ));
    let list = |user: &str, port: u16| {
        let url = format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable");
        database
            .node()
            .with("BETA9_DATABASE_URL", url)
            .run(&["list"], "unused")
    };
    let table = [
        (
            format!("{USER}:{PASSWORD_IN_URL}x"),
            "refused the password of user",
        ),
        (USER.to_owned(), "asks for a password"),
        (
            format!("barred_{name}:{PASSWORD_IN_URL}"),
            "does not let user",
        ),
        (
            format!("reader_{name}:{PASSWORD_IN_URL}"),
            "may not use the table workspace",
        ),
    ];
    for (user, why) in table {
        let answer = list(&user, port);
        assert_eq!(
            (answer.status, answer.out.lines().count()),
            (1, 1),
            "{answer:?}"
        );
        assert!(
            answer.out.contains(why) && answer.err.contains(why) && !answer.out.contains("hunter2"),
            "{answer:?}"
        );
    }
    let relay = Relay::to(port);
    relay.becomes(Mood::Closes);
    let answer = list(&format!("{USER}:{PASSWORD_IN_URL}"), relay.port);
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "{}\n"),
        "{answer:?}"
    );
    assert!(
        answer.err.contains("left out of the list: postgres store"),
        "{answer:?}"
    );
}

#[test]
fn a_user_whom_the_server_turns_away_is_reported_where_to_look() {
    let Some(database) =
        Database::new("a_user_whom_the_server_turns_away_is_reported_where_to_look")
    else {
        return;
    };
    // A role that may not log in stands for any that pg_hba.conf turns away: the server says the same.
    database.sql(&format!(
        "CREATE ROLE barred_{0} PASSWORD 'hunter2@/:?'",
        database.name
    ));
    let place = format!("127.0.0.1:{}/{1}", database.server.port, database.name);
    let url = format!(
        "postgresql://barred_{}:{PASSWORD_IN_URL}@{place}?sslmode=disable",
        database.name
    );
    let line = failure(&database.node().with("BETA9_DATABASE_URL", url));
    assert!(line.contains("does not let user"), "{line}");
}

#[test]
fn what_we_store_is_sealed_with_nothing_of_ours() {
    let Some(database) = Database::new("what_we_store_is_sealed_with_nothing_of_ours") else {
        return;
    };
    let node = database.node();
    for password in ["p", "pässwörd ☃", "a\"b\\c<>&", &"x".repeat(20_000)] {
        assert_eq!(node.store("ghcr.io", "u", password), Answer::silence());
        let sealed = database.sql("SELECT value FROM workspace_secret");
        let object = json::parse_object(open(&database.signing_key, &sealed).as_bytes()).unwrap();
        let Some(Value::Object(keys)) = object.get("credentials") else {
            panic!("no credentials")
        };
        assert_eq!(keys.text("PASSWORD").unwrap().expose(), password);
    }
}

#[test]
fn a_pooler_without_a_session_to_give_is_an_outage_and_one_that_refuses_is_not_one() {
    let test = "a_pooler_without_a_session_to_give_is_an_outage_and_one_that_refuses_is_not_one";
    let Some(database) = Database::new(test) else {
        return;
    };
    let Some(pooler) = Pooler::new(database.server, test) else {
        return;
    };
    let place = format!("127.0.0.1:{}", pooler.port);
    let node = database.node().with(
        "BETA9_DATABASE_URL",
        database.url_at(&place, "?sslmode=disable"),
    );
    database.plant("ghcr.io", &blob("ghcr.io", "s1"));
    assert_eq!(node.pair("ghcr.io").1, "s1");
    pooler.command("SET query_wait_timeout = 1");
    pooler.command(&format!("PAUSE {}", database.name));
    let answer = node.get("ghcr.io");
    assert!(
        answer.status == 0 && answer.out.contains("s1"),
        "{answer:?}"
    );
    let warning = format!(
        "ghcr.io: postgres store: {place} cannot answer now (08006); see its log; its last answer is used\n"
    );
    assert!(answer.err.ends_with(&warning), "{answer:?}");
    pooler.command(&format!("RESUME {}", database.name));
    assert_eq!(node.get("ghcr.io").err, "");
    // The same connection URL, of which there is a last answer.
    pooler.takes_password("another");
    let fix = "correct BETA9_DATABASE_URL, or url in [store.postgres]";
    assert_eq!(
        failure(&node),
        format!("{place} refused the password of user \"postgres\"; {fix}")
    );
}

#[test]
fn doctor_says_where_the_network_may_read_along() {
    let Some(database) = Database::new("doctor_says_where_the_network_may_read_along") else {
        return;
    };
    // Not an address of loopback's, which nevertheless leads there.
    let (far, near) = (
        format!("0.0.0.0:{}", database.server.port),
        format!("127.0.0.1:{}", database.server.port),
    );
    let doctor = |place: &str, options: &str| {
        database
            .node()
            .with("BETA9_DATABASE_URL", database.url_at(place, options))
            .run(&["doctor"], "")
            .out
    };
    let exposed = "the password and the workspace's secrets may cross the network in clear";
    for options in ["?sslmode=disable", "?sslmode=prefer"] {
        let out = doctor(&far, options);
        let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            out.contains(exposed) && out.contains("set sslmode=verify-full"),
            "{out}"
        );
        assert!(
            !doctor(&near, options)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(exposed)
        );
    }
}
