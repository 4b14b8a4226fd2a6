//! Images and expiry in Beta9's database, and the command that prepares it.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::time::{Duration, SystemTime};

use beta9_credential::host::Host;
use beta9_credential::store::{ImageSecrets, PostgresStore, Secret, Store};
use common::postgres::{Database, PASSWORD_IN_URL, deadline, lookup, signing_key};
use common::{Answer, Node};

const BLOB: &str =
    r#"{"credentials":{"PASSWORD":"s","USERNAME":"u"},"registry":"ghcr.io","type":"basic"}"#;

fn host(text: &str) -> Host {
    Host::parse(text.as_bytes()).unwrap()
}

fn put(store: PostgresStore, host: &Host, blob: &str) -> PostgresStore {
    let store = Store::Postgres(store);
    store
        .store(
            &lookup(host),
            &Secret {
                username: "u".into(),
                blob: blob.into(),
            },
        )
        .unwrap();
    let Store::Postgres(store) = store else {
        unreachable!()
    };
    store
}

/// The one secret of the image `img-1`.
fn image_secret(store: &PostgresStore) -> Option<String> {
    match store.image_secrets("img-1", deadline()).unwrap() {
        ImageSecrets::Unbound => None,
        ImageSecrets::Blobs(blobs) if blobs.len() == 1 => Some(blobs[0].expose().to_owned()),
        other => panic!("{other:?}"),
    }
}

fn migrated(database: &Database) {
    let answer = database.node().run(&["migrate"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
}

#[test]
fn an_image_is_bound_to_its_secret_and_gives_it_back() {
    let Some(database) = Database::new("an_image_is_bound_to_its_secret_and_gives_it_back") else {
        return;
    };
    migrated(&database);
    database.sql("INSERT INTO image (image_id) VALUES ('img-1'), ('img-2'), ('img-3')");
    let ghcr = host("ghcr.io");
    let ours = put(database.store_of(&database.workspace), &ghcr, BLOB);
    assert_eq!(image_secret(&ours), None);
    assert_eq!(
        ours.bind_image("img-1", &lookup(&ghcr)).unwrap(),
        "oci-registry-ghcr-io"
    );
    assert_eq!(
        database.sql("SELECT i.credential_secret_name, i.credential_secret_id = s.external_id::text FROM image i, workspace_secret s WHERE i.image_id = 'img-1'"),
        "oci-registry-ghcr-io|t"
    );
    assert_eq!(image_secret(&ours).as_deref(), Some(BLOB));
    // A changed secret applies to the image at once.
    database.plant("ghcr.io", "user:changed");
    assert_eq!(image_secret(&ours).as_deref(), Some("user:changed"));
    // Another workspace with the same image has its own secret of that name, and without it an error.
    let other = "11111111-2222-4333-8444-555555555555";
    database.add_workspace(other, &signing_key(99));
    let theirs = database.store_of(other);
    let gone = |store: &PostgresStore| {
        store
            .image_secrets("img-1", deadline())
            .unwrap_err()
            .to_string()
    };
    let why = "postgres store: image img-1 is bound to the secret oci-registry-ghcr-io, which is gone or empty; ";
    assert!(gone(&theirs).starts_with(why), "{}", gone(&theirs));
    let theirs = put(theirs, &ghcr, &BLOB.replace("\"s\"", "\"other\""));
    assert!(image_secret(&theirs).unwrap().contains("other"));
    assert_eq!(image_secret(&ours).as_deref(), Some("user:changed"));
    database.plant("ghcr.io", "");
    assert!(gone(&ours).starts_with(why));
    database.sql("DELETE FROM workspace_secret");
    assert!(gone(&ours).starts_with(why));
    let nowhere = ours.image_secrets("no such image", deadline()).unwrap();
    assert!(
        matches!(nowhere, ImageSecrets::Unknown(why) if why.to_string().contains("there is no image no such image"))
    );
}

#[test]
fn what_cannot_be_bound_is_said() {
    let Some(database) = Database::new("what_cannot_be_bound_is_said") else {
        return;
    };
    let ghcr = host("ghcr.io");
    let ours = database.store_of(&database.workspace);
    let error =
        |outcome: Result<String, beta9_credential::error::Error>| outcome.unwrap_err().to_string();
    assert_eq!(
        error(ours.bind_image("img", &lookup(&ghcr))),
        "ghcr.io: postgres store: there is no secret to bind an image to; store one first"
    );
    let ours = put(ours, &ghcr, BLOB);
    let not_migrated = format!(
        "postgres store: the table image of database \"{}\" has no column for secrets; run docker-credential-beta9 migrate",
        database.name
    );
    assert_eq!(
        error(ours.bind_image("img", &lookup(&ghcr))),
        format!("ghcr.io: {not_migrated}")
    );
    database.sql("INSERT INTO image (image_id) VALUES ('img')");
    let unmigrated = ours.image_secrets("img", deadline()).unwrap();
    let why = "postgres store: the table image has no column for secrets; run docker-credential-beta9 migrate";
    assert!(matches!(unmigrated, ImageSecrets::Unknown(error) if error.to_string() == why));
    migrated(&database);
    assert_eq!(
        error(ours.bind_image("im\ng", &lookup(&ghcr))),
        "ghcr.io: postgres store: there is no image im\\ng; build it first, or correct its id"
    );
}

#[test]
fn only_what_is_past_its_own_expiry_is_pruned() {
    let Some(database) = Database::new("only_what_is_past_its_own_expiry_is_pruned") else {
        return;
    };
    let names = [
        "a.example",
        "b.example",
        "c.example",
        "d.example",
        "e.example",
    ];
    let hosts = names.map(host);
    let mut ours = database.store_of(&database.workspace);
    for host in &hosts {
        ours = put(ours, host, &BLOB.replace("ghcr.io", host.as_str()));
    }
    let set = |host: &Host, ttl: Option<Duration>| {
        ours.set_expiry(&lookup(host), ttl)
            .map_err(|error| error.to_string())
    };
    // Without the table, nothing expires, and removing an expiry succeeds.
    assert_eq!(set(&hosts[0], None), Ok(()));
    let error = set(&hosts[0], Some(Duration::from_secs(1))).unwrap_err();
    assert!(
        error.starts_with("a.example: postgres store: ")
            && error.ends_with("; run docker-credential-beta9 migrate"),
        "{error}"
    );
    migrated(&database);
    let day = Duration::from_hours(24);
    for (host, ttl) in hosts
        .iter()
        .zip([Some(day), Some(30 * day), Some(day), Some(day), None])
    {
        assert_eq!(set(host, ttl), Ok(()));
    }
    assert_eq!(set(&hosts[2], None), Ok(()));
    // Written since: in use.
    database.plant("d.example", &BLOB.replace("ghcr.io", "d.example"));
    // Other workspaces' secrets are not touched.
    let other = "11111111-2222-4333-8444-555555555555";
    database.add_workspace(other, &signing_key(99));
    let theirs = put(
        database.store_of(other),
        &hosts[0],
        &BLOB.replace("ghcr.io", "a.example"),
    );
    theirs.set_expiry(&lookup(&hosts[0]), Some(day)).unwrap();

    let prune = |days: u32| {
        ours.prune(SystemTime::now() + days * day, deadline())
            .unwrap()
    };
    assert_eq!(prune(0), Vec::<String>::new());
    assert_eq!(prune(2), ["oci-registry-a-example"]);
    assert_eq!(prune(2), Vec::<String>::new());
    assert_eq!(prune(31), ["oci-registry-b-example"]);
    assert_eq!(prune(100_000), Vec::<String>::new());
    assert_eq!(
        database.secret_names(),
        "oci-registry-a-example,oci-registry-c-example,oci-registry-d-example,oci-registry-e-example"
    );
    // Expiries of deleted secrets are deleted too.
    assert_eq!(
        database.sql("SELECT count(*) FROM credential_helper_expiry"),
        "1"
    );
    assert_eq!(
        theirs
            .prune(SystemTime::now() + 2 * day, deadline())
            .unwrap(),
        ["oci-registry-a-example"]
    );
    // A secret of the same name that comes later has no expiry.
    let ours = put(ours, &hosts[0], &BLOB.replace("ghcr.io", "a.example"));
    assert_eq!(
        ours.prune(SystemTime::now() + 100_000 * day, deadline())
            .unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn migrate_makes_what_is_missing_once_and_says_so() {
    let Some(database) = Database::new("migrate_makes_what_is_missing_once_and_says_so") else {
        return;
    };
    let node = database
        .node()
        .without("BETA9_STORE")
        .without("BETA9_WORKSPACE_ID");
    database.sql("INSERT INTO image (image_id) VALUES ('img')");
    let lines = |generation: &str, word: &str| {
        let what = [
            "image.credential_secret_name",
            "image.credential_secret_id",
            "idx_image_credential_secret_name",
            "credential_helper_expiry",
            "credential_helper_token",
        ];
        let steps = what.map(|what| format!("{what:<34} {word}\n")).concat();
        format!("{:<34} {generation}\n{steps}", "the database")
    };
    let first = "generation 1: images are not bound to secrets\n                                   (before Beta9's migration 036)";
    let second = "generation 2: an image is bound to one secret\n                                   (Beta9's migration 036)";
    assert_eq!(
        node.run(&["migrate"], ""),
        Answer {
            status: 0,
            out: lines(first, "made"),
            err: String::new()
        }
    );
    let columns = "SELECT column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns WHERE table_name = 'image' AND column_name LIKE 'credential%' ORDER BY 1 DESC";
    let both = "credential_secret_name|character varying|255|YES\ncredential_secret_id|character varying|36|YES";
    assert_eq!(database.sql(columns), both);
    let index =
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_image_credential_secret_name'";
    assert_eq!(
        database.sql(index),
        "CREATE INDEX idx_image_credential_secret_name ON public.image USING btree (credential_secret_name)"
    );
    assert_eq!(
        node.run(&["migrate"], ""),
        Answer {
            status: 0,
            out: lines(second, "there already"),
            err: String::new()
        }
    );
    // Beta9's own migration still runs without errors.
    database.sql("ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_name VARCHAR(255), ADD COLUMN IF NOT EXISTS credential_secret_id VARCHAR(36); CREATE INDEX IF NOT EXISTS idx_image_credential_secret_name ON image (credential_secret_name);");
    database.sql("ALTER TABLE image DROP COLUMN credential_secret_id");
    assert_eq!(
        node.run(&["migrate", "--json"], "").out,
        "{\"generation\":2,\"made\":[\"image.credential_secret_id\"],\"there\":[\"image.credential_secret_name\",\"idx_image_credential_secret_name\",\"credential_helper_expiry\",\"credential_helper_token\"],\"left_over\":[]}\n"
    );
    // Who owns nothing may find that all of it is there.
    let user = format!("reader_{}", database.name);
    database.sql(&format!("CREATE ROLE {user} LOGIN PASSWORD 'hunter2@/:?'"));
    let url = format!(
        "postgres://{user}:{PASSWORD_IN_URL}@127.0.0.1:{}/{}?sslmode=disable",
        database.server.port, database.name
    );
    let reader = node.clone_with("BETA9_DATABASE_URL", url);
    assert_eq!(
        reader.run(&["migrate"], "").out,
        lines(second, "there already")
    );
    database.sql("ALTER TABLE image DROP COLUMN credential_secret_name");
    let answer = reader.run(&["migrate"], "");
    assert!(
        answer.failure().contains("may not use the table image"),
        "{answer:?}"
    );
}

#[test]
fn migrations_at_the_same_time_do_not_hinder_one_another() {
    let Some(database) = Database::new("migrations_at_the_same_time_do_not_hinder_one_another")
    else {
        return;
    };
    let node = database.node();
    let all: Vec<_> = (0..8).map(|_| node.start(&["migrate"], b"")).collect();
    let made = all.into_iter().map(Answer::of).map(|answer| {
        assert_eq!(answer.status, 0, "{answer:?}");
        answer.out.matches(" made\n").count()
    });
    assert_eq!(made.sum::<usize>(), 5);
}

#[test]
fn migrate_refuses_a_database_that_is_not_beta9s_and_changes_nothing() {
    let Some(database) =
        Database::empty("migrate_refuses_a_database_that_is_not_beta9s_and_changes_nothing")
    else {
        return;
    };
    let node = database.node();
    let everything = "SELECT string_agg(relname || '.' || attname, ',' ORDER BY 1) FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace AND attnum > 0";
    let refused = |missing: &str| {
        let before = database.sql(everything);
        let answer = node.run(&["migrate"], "");
        assert_eq!(
            answer.failure(),
            format!(
                "postgres store: this database is not Beta9's: it has no {missing}; nothing was changed; correct BETA9_DATABASE_URL, or url in [store.postgres]"
            )
        );
        assert_eq!(database.sql(everything), before);
    };
    refused("table workspace, table workspace_secret, table image");
    database.sql("CREATE TABLE image (id int, image_id text, external_id uuid)");
    refused("table workspace, table workspace_secret");
    database.sql("CREATE TABLE workspace (id int, external_id uuid, name text); CREATE TABLE workspace_secret (id int, external_id uuid, name text, value text, workspace_id int, created_at timestamptz)");
    refused("workspace.signing_key, workspace_secret.last_updated_by, updated_at");
}

#[test]
fn migrate_explains_itself_and_needs_a_database() {
    let help = Node::new().run(&["migrate", "--help"], "");
    assert_eq!(help.status, 0);
    for words in [
        "Exit status: 0",
        "Example, with the URL",
        "idx_image_credential_secret_name",
        "--json",
    ] {
        assert!(help.out.contains(words), "{words}: {}", help.out);
    }
    let answer = Node::new().run(&["migrate"], "");
    assert_eq!(
        answer.failure(),
        "postgres store: there is no connection URL; set BETA9_DATABASE_URL, or url or url_file in [store.postgres]"
    );
}

#[test]
fn nothing_is_stored_for_an_image_that_is_not_there() {
    let name = "nothing_is_stored_for_an_image_that_is_not_there";
    let Some(database) = Database::new(name) else {
        return;
    };
    let node = database
        .node()
        .with("GITHUB_USERNAME", "octo")
        .with("GITHUB_TOKEN", "hunter2");
    let provision = || {
        let keys = "GITHUB_USERNAME,GITHUB_TOKEN";
        let args = [
            "provision",
            "ghcr.io/a/b",
            "--image-id",
            "gone",
            "--creds",
            keys,
        ];
        node.run(&args, "")
    };
    let answer = provision();
    assert!(
        answer.refusal().contains("there is no image gone"),
        "{answer:?}"
    );
    // The image exists, but its table has no column for a secret.
    database.sql("INSERT INTO image (image_id) VALUES ('gone')");
    let answer = provision();
    assert!(
        answer
            .refusal()
            .contains("run docker-credential-beta9 migrate"),
        "{answer:?}"
    );
    assert_eq!(database.secret_names(), "");
}
