//! Detects the generation of Beta9's tables by the columns of `image`, never by a setting.

use std::fmt;

use tokio_postgres::GenericClient;

use super::fault::Fault;
use super::rows::first_texts;

/// How Beta9 binds an image to its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Not at all: before migration 036.
    First,
    /// To one secret, by migration 036.
    Second,
    /// To the names of single secrets, by migration 053, which drops the columns of 036.
    Third,
}

/// The columns for bindings in the table `image`. A database may have those of both generations, because version 0.1 of
/// this program added those of migration 036 again after 053 had dropped them.
pub(super) struct Columns {
    /// `credential_secret_name`.
    pub(super) secret: bool,
    /// `credential_secret_names`.
    pub(super) names: bool,
}

impl Columns {
    pub(super) async fn of(client: &impl GenericClient) -> Result<Self, Fault> {
        let rows = client.query_typed(COLUMNS, &[]).await?;
        let names = first_texts(&rows)?;
        let has = |column: &str| names.iter().any(|name| name == column);
        Ok(Self {
            secret: has("credential_secret_name"),
            names: has("credential_secret_names"),
        })
    }

    pub(super) fn generation(&self) -> Generation {
        match self {
            Self { names: true, .. } => Generation::Third,
            Self { secret: true, .. } => Generation::Second,
            _ => Generation::First,
        }
    }
}

impl Generation {
    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Third => 3,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "generation 1: images are not bound to secrets (before Beta9's migration 036)",
            Self::Second => "generation 2: an image is bound to one secret (Beta9's migration 036)",
            Self::Third => "generation 3: an image is bound to the names of single secrets (Beta9's migration 053)",
        })
    }
}

/// The existing columns, visible even without permission to use them.
const COLUMNS: &str = "\
SELECT attname::text FROM pg_attribute
WHERE attrelid = to_regclass('image') AND attname LIKE 'credential\\_secret\\_name%' AND attnum > 0 AND NOT attisdropped";
