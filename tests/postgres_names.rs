//! `migrate --to-names`: the secrets of registries become single ones, and images are bound to their names.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use beta9_credential::json::{self, Value};
use common::postgres::migrations::{Migration, each};
use common::postgres::{Database, PASSWORD_IN_URL};
use common::{Answer, Node};

const BLOB: &str =
    r#"{"credentials":{"PASSWORD":"s","USERNAME":"u"},"registry":"ghcr.io","type":"basic"}"#;

const PAYLOAD: &str =
    r#"{"credentials":{"GITHUB_TOKEN":"s","GITHUB_USERNAME":"u"},"registry":"","type":"token"}"#;

fn aws(host: &str) -> String {
    format!(
        r#"{{"credentials":{{"AWS_ACCESS_KEY_ID":"a","AWS_SECRET_ACCESS_KEY":"b"}},"registry":"{host}","type":"aws"}}"#
    )
}

fn user(host: &str, password: &str) -> String {
    format!(
        r#"{{"credentials":{{"DOCKERHUB_PASSWORD":"{password}","DOCKERHUB_USERNAME":"u"}},"registry":"{host}","type":"basic"}}"#
    )
}

/// Secrets of generation 2 for every kind of registry; four of them cannot be copied.
fn plant_all(database: &Database) {
    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    database.plant("ghcr.io", BLOB);
    database.plant_as("OCI_REGISTRY_GHCR_IO", &BLOB.replace("\"s\"", "\"older\""));
    database.plant("docker.io", &user("index.docker.io", "hub"));
    database.plant("harbor.example", &user("harbor.example", "1"));
    database.plant("quay.io", &user("quay.io", "2"));
    database.plant("registry.gitlab.com", &user("registry.gitlab.com", "3"));
    database.plant(
        "nvcr.io",
        r#"{"credentials":{"NGC_API_KEY":"k"},"registry":"nvcr.io","type":"token"}"#,
    );
    database.plant(
        "gcr.io",
        r#"{"credentials":{"GCP_ACCESS_TOKEN":"g"},"registry":"gcr.io","type":"gcp"}"#,
    );
    database.plant(ecr, &aws(ecr));
    database.plant("reg.azurecr.io", r#"{"credentials":{"AZURE_CLIENT_ID":"a","AZURE_CLIENT_SECRET":"b","AZURE_TENANT_ID":"c"},"registry":"reg.azurecr.io","type":"azure"}"#);
    database.plant("flat.example", "u:p");
    database.plant_sealed(&database.workspace, "oci-registry-damaged", "damaged");
}

const MADE: &str = "AWS_ACCESS_KEY_ID,AWS_REGION,AWS_SECRET_ACCESS_KEY,DOCKERHUB_PASSWORD,DOCKERHUB_USERNAME,GCP_ACCESS_TOKEN,GITHUB_TOKEN,GITHUB_USERNAME,NGC_API_KEY,PASSWORD,REGISTRY_PASSWORD,REGISTRY_USERNAME,USERNAME";
const EVERYTHING: &str = "SELECT name, value FROM workspace_secret ORDER BY 1; SELECT to_jsonb(image) FROM image ORDER BY 1";

#[test]
fn secrets_of_registries_become_single_ones_and_their_images_are_bound_to_the_names() {
    let test = "secrets_of_registries_become_single_ones_and_their_images_are_bound_to_the_names";
    let Some(database) = Database::after(Migration::Both, test) else {
        return;
    };
    plant_all(&database);
    database.sql("INSERT INTO image (image_id, credential_secret_name, credential_secret_id) SELECT 'im-' || name, name, external_id::text FROM workspace_secret WHERE name LIKE 'oci-%'");
    database.sql("INSERT INTO image (image_id, credential_secret_name, credential_secret_id, credential_secret_names) VALUES ('theirs', 'oci-registry-ghcr-io', 'another', NULL), ('named', 'oci-registry-ghcr-io', NULL, '{A}'), ('without-id', 'oci-registry-ghcr-io', NULL, '{}'), ('free', NULL, NULL, NULL)");
    let (node, before) = (database.node(), database.sql(EVERYTHING));
    let run = |args: &[&str]| {
        let answer = node.run(&[&["migrate", "--to-names"], args].concat(), "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
        answer.out
    };
    let dry = run(&["--dry-run", "--json"]);
    assert_eq!(database.sql(EVERYTHING), before);
    assert!(run(&["--dry-run"]).ends_with("nothing was changed\n"));
    let done = run(&["--json"]);
    assert_eq!(dry.replace("\"dry_run\":true", "\"dry_run\":false"), done);

    let object = json::parse_object(done.as_bytes()).unwrap();
    let Some(Value::Array(left)) = object.get("left") else {
        panic!("{done}")
    };
    let left: Vec<String> = left
        .iter()
        .map(|one| {
            let Value::Object(one) = one else {
                panic!("{one:?}")
            };
            format!(
                "{}: {}",
                one.text("secret").unwrap().expose(),
                one.text("why").unwrap().expose()
            )
        })
        .collect();
    for why in [
        "OCI_REGISTRY_GHCR_IO: oci-registry-ghcr-io is for the same registry, and takes precedence",
        "oci-registry-damaged: the secret oci-registry-damaged: it does not open: ",
        "oci-registry-flat-example: it does not say which registry it is for",
        "oci-registry-reg-azurecr-io: a Beta9 build needs a user name and a password, and these keys are not that",
        "oci-registry-registry-gitlab-com: the names that a build takes for its registry are there with other values",
    ] {
        assert!(
            left.iter().any(|line| line.starts_with(why)),
            "{why}: {left:?}"
        );
    }
    assert_eq!(left.len(), 5, "{left:?}");
    // The old ones stay as they are, beside the new ones.
    let old = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("oci-") || line.starts_with("OCI_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(old(&database.sql(EVERYTHING)), old(&before));
    let singles = "SELECT string_agg(name, ',' ORDER BY name COLLATE \"C\") FROM workspace_secret WHERE name !~* '^oci'";
    assert_eq!(database.sql(singles), MADE);
    let values = [
        ("GITHUB_TOKEN", "s"),
        ("DOCKERHUB_PASSWORD", "hub"),
        ("REGISTRY_PASSWORD", "1"),
        ("PASSWORD", "2"),
        ("AWS_REGION", "us-east-1"),
        ("NGC_API_KEY", "k"),
        ("GCP_ACCESS_TOKEN", "g"),
    ];
    for (name, value) in values {
        assert_eq!(database.opened(name), value, "{name}");
    }

    let resolve = |image: &str| node.run(&["resolve", image], "").out;
    for image in ["im-oci-registry-ghcr-io", "without-id"] {
        assert_eq!(resolve(image), format!("{PAYLOAD}\n"), "{image}");
    }
    assert!(resolve("im-oci-registry-harbor-example").contains("\"REGISTRY_PASSWORD\":\"1\""));
    // These were not this secret's, or are named already.
    assert_eq!(resolve("theirs"), format!("{BLOB}\n"));
    assert!(done.contains("\"deploy_again\":[\"theirs\"]"), "{done}");
    assert_eq!(
        database.sql("SELECT credential_secret_names FROM image WHERE image_id = 'named'"),
        "{A}"
    );
    assert_eq!(
        database.sql("SELECT count(*) FROM image WHERE credential_secret_names <> '{}'"),
        "9"
    );

    // Again: all of it is there.
    let (now, again) = (database.sql(EVERYTHING), run(&["--json"]));
    assert_eq!(database.sql(EVERYTHING), now);
    assert!(
        !again.contains("\"made\":[\"") && again.matches("\"made\":[]").count() == 7,
        "{again}"
    );
    let people = run(&[]);
    assert!(
        people.contains("ghcr.io: GITHUB_TOKEN, GITHUB_USERNAME are there already, as oci-registry-ghcr-io has them\n"),
        "{people}"
    );
    assert!(
        !people.contains("hub\"") && !people.contains("older"),
        "{people}"
    );
}

#[test]
fn no_single_secret_is_written_over_and_docker_hubs_names_are_docker_hubs() {
    let test = "no_single_secret_is_written_over_and_docker_hubs_names_are_docker_hubs";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    let node = database.node().with("BETA9_CACHE", "off");
    database.plant("ghcr.io", BLOB);
    database.plant("harbor.example", &user("harbor.example", "1"));
    database.plant_as("GITHUB_TOKEN", "another");
    database.plant_as("REGISTRY_USERNAME", "another");
    let answer = node.run(&["migrate", "--to-names"], "");
    assert!(
        answer
            .out
            .contains("left oci-registry-ghcr-io as it is: the names that a build takes"),
        "{answer:?}"
    );
    assert!(
        answer
            .out
            .contains("harbor.example: made PASSWORD, USERNAME from oci-registry-harbor-example"),
        "{answer:?}"
    );
    assert_eq!(
        (
            database.opened("GITHUB_TOKEN"),
            database.opened("REGISTRY_USERNAME")
        ),
        ("another".into(), "another".into())
    );
    assert_eq!(node.get("docker.io"), Answer::not_found());
    assert!(!database.secret_names().contains("DOCKERHUB"));
    assert!(!database.secret_names().contains("GITHUB_USERNAME"));
}

#[test]
fn what_must_be_deployed_again_is_said_on_each_generation() {
    each(
        "what_must_be_deployed_again_is_said_on_each_generation",
        |migration, database| {
            database.plant("ghcr.io", BLOB);
            if migration.has_secret() {
                database.sql("UPDATE image SET credential_secret_name = 'oci-registry-ghcr-io' WHERE image_id = 'im'");
            }
            let out = database.node().run(&["migrate", "--to-names"], "").out;
            assert!(
                out.contains(
                    "ghcr.io: made GITHUB_TOKEN, GITHUB_USERNAME from oci-registry-ghcr-io"
                ),
                "{out}"
            );
            let again = "ghcr.io: deploy the images im again, with the names GITHUB_TOKEN, GITHUB_USERNAME: once Beta9's migration 053";
            assert_eq!(
                out.contains(again),
                migration.has_secret() && !migration.has_names(),
                "{migration:?}: {out}"
            );
            assert_eq!(
                out.contains("2 images name no secrets"),
                migration == Migration::M053,
                "{migration:?}: {out}"
            );
            assert_eq!(
                out.contains("bound the images im to the names"),
                migration == Migration::Both,
                "{migration:?}: {out}"
            );
            assert_eq!(
                database.node().with("BETA9_CACHE", "off").pair("ghcr.io"),
                ("u".into(), "s".into())
            );
        },
    );
}

#[test]
fn all_of_it_happens_or_nothing() {
    let Some(database) = Database::after(Migration::Both, "all_of_it_happens_or_nothing") else {
        return;
    };
    plant_all(&database);
    database.sql("INSERT INTO image (image_id, credential_secret_name) VALUES ('im', 'oci-registry-docker-io')");
    // Another client creates a secret with that name at the same moment.
    database.sql("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.name = 'NGC_API_KEY' THEN NULL ELSE NEW END; END $$; CREATE TRIGGER meddle BEFORE INSERT ON workspace_secret FOR EACH ROW EXECUTE FUNCTION meddle();");
    let before = database.sql(EVERYTHING);
    let answer = database.node().run(&["migrate", "--to-names"], "");
    assert!(
        answer
            .failure()
            .contains("somebody else keeps changing the secret; nothing was changed"),
        "{answer:?}"
    );
    assert_eq!(database.sql(EVERYTHING), before);
    let reader = format!("names_{}", database.name);
    database.sql(&format!("DROP TRIGGER meddle ON workspace_secret; CREATE ROLE {reader} LOGIN PASSWORD 'hunter2@/:?'; GRANT SELECT ON workspace, workspace_secret, image TO {reader}"));
    let place = format!("127.0.0.1:{}/{}", database.server.port, database.name);
    let url = format!("postgres://{reader}:{PASSWORD_IN_URL}@{place}?sslmode=disable");
    let node = database.node().with("BETA9_DATABASE_URL", url);
    assert_eq!(
        node.run(&["migrate", "--to-names", "--dry-run"], "").status,
        0
    );
    assert!(
        node.run(&["migrate", "--to-names"], "")
            .failure()
            .contains("may not use the table")
    );
    assert_eq!(database.sql(EVERYTHING), before);
    let answer = Node::new().run(&["migrate", "--dry-run"], "");
    assert!(
        answer.status == 2 && answer.err.contains("--to-names"),
        "{answer:?}"
    );
}
