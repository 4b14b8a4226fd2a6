//! What Beta9's migrations after 035, which `beta9-schema.sql` has, do to the tables that the helper uses.

use super::Database;

/// The last of Beta9's migrations that a database has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    M035,
    M036,
    M052,
    M053,
    /// 053, and then `migrate` of this program's version 0.1, which added what 053 had dropped.
    Both,
}

impl Migration {
    pub const ALL: [Self; 5] = [Self::M035, Self::M036, Self::M052, Self::M053, Self::Both];

    pub fn steps(self) -> &'static [&'static str] {
        match self {
            Self::M035 => &[],
            Self::M036 => &[SECRET],
            Self::M052 => &[SECRET, UNTIL_052],
            Self::M053 => &[SECRET, UNTIL_052, NAMES],
            Self::Both => &[SECRET, UNTIL_052, NAMES, SECRET],
        }
    }

    /// Whether an image is bound to one secret.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::M036 | Self::M052 | Self::Both)
    }

    /// Whether an image is bound to the names of single secrets.
    pub fn has_names(self) -> bool {
        matches!(self, Self::M053 | Self::Both)
    }
}

/// A database after each migration, with the images `im` and `other`.
pub fn each(test: &str, work: impl Fn(Migration, &Database)) {
    for migration in Migration::ALL {
        let Some(database) = Database::after(migration, test) else {
            return;
        };
        database.sql("INSERT INTO image (image_id) VALUES ('im'), ('other')");
        work(migration, &database);
    }
}

/// 036.
const SECRET: &str = "\
ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_name VARCHAR(255);
ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_id VARCHAR(36);
CREATE INDEX IF NOT EXISTS idx_image_credential_secret_name ON image (credential_secret_name);";
/// 037 to 052.
const UNTIL_052: &str = "\
ALTER TABLE workspace ADD COLUMN is_cluster_admin BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX idx_workspace_cluster_admin ON workspace (is_cluster_admin) WHERE is_cluster_admin;";
/// 053.
const NAMES: &str = "\
DROP INDEX IF EXISTS idx_image_credential_secret_name;
ALTER TABLE image DROP COLUMN IF EXISTS credential_secret_id;
ALTER TABLE image DROP COLUMN IF EXISTS credential_secret_name;
ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_names TEXT[];";
