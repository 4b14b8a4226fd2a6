//! Stable names of failures for programs: `area.kind`, never changed once released.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($name:ident $text:literal $about:literal)*) => {
        /// The name of a kind of failure.
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
        pub enum Code {
            $(#[doc = $about] #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name, as errors print it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The meaning, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about),* }
            }
        }
    };
}

codes! {
    InputUnreadable "input.unreadable" "Standard input or an argument cannot be read, or is not what the command expects."
    InputBadServerUrl "input.bad_server_url" "A server URL or registry is not valid."
    InputBadReference "input.bad_reference" "An image reference is not valid, or does not name an image."
    InputUsage "input.usage" "The command line is wrong."
    OutputUnwritable "output.unwritable" "The answer cannot be written."
    ConfigInvalid "config.invalid" "A setting or a variable has an invalid value."
    ConfigUnknownKey "config.unknown_key" "A configuration file has a key that does not exist."
    ConfigUnreadable "config.unreadable" "A configuration file cannot be read or parsed."
    ConfigMissing "config.missing" "A required setting is missing."
    ConfigConflict "config.conflict" "Two settings contradict each other."
    ConfigForeignOwner "config.foreign_owner" "A file that controls this program belongs to another user, or others can write to it."
    StoreUnreachable "store.unreachable" "A store did not answer, or is temporarily unavailable."
    StoreRefused "store.refused" "A store refused the token or password, or the token may not do this."
    StoreNotFound "store.not_found" "A workspace, image or secret that must exist is missing."
    StoreDamaged "store.damaged" "A stored entry cannot be opened or read."
    StoreUnexpected "store.unexpected" "Something other than the store answers at its address, or its schema is unknown."
    StoreUnsupported "store.unsupported" "The store does not support this operation."
    StoreConflict "store.conflict" "The entry to be written belongs to another registry, or was changed meanwhile."
    StoreUnwritable "store.unwritable" "The store cannot be written."
    StoreNewerFormat "store.newer_format" "A newer version of this program wrote the entry."
    SecretHalfPair "secret.half_pair" "A user name has no password, or a password has no user name."
    SecretInvalid "secret.invalid" "A secret isn't a credential, or a value in it is not valid."
    SecretWrongVendor "secret.wrong_vendor" "A secret has another vendor's keys."
    SecretWrongRegistry "secret.wrong_registry" "A secret is for another registry."
    SecretUnbound "secret.unbound" "It is not known which registry a secret is for."
    SecretNamesMissing "secret.names_missing" "A named secret is missing or empty."
    CredentialNotFound "credential.not_found" "No store has a credential for the registry."
    CredentialExpired "credential.expired" "A credential has expired."
    MintRefused "mint.refused" "The provider refused the identity or the request."
    MintThrottled "mint.throttled" "The provider limits the rate of requests."
    MintUnreachable "mint.unreachable" "The provider did not answer, or is temporarily unavailable."
    MintUnexpected "mint.unexpected" "The provider's answer has no token, or something else answers in its place."
    MintNoIdentity "mint.no_identity" "This node or the given keys have no identity that can get a token."
    MintInvalidKeys "mint.invalid_keys" "The keys for a cloud are incomplete or not valid."
    CacheLocked "cache.locked" "Another process held a token's lock until the deadline."
    CacheUnusable "cache.unusable" "The token cache cannot be opened."
    RegistryRefused "registry.refused" "The registry refused the credential."
    RegistryUnreachable "registry.unreachable" "The registry did not answer."
    ClientFileBroken "client.file_broken" "A client's file cannot be read or parsed."
    ClientFileUnwritable "client.file_unwritable" "A client's file cannot be changed."
    ClientNotFoundOnPath "client.not_found_on_path" "A client cannot find this program."
    ClientConflict "client.conflict" "A client's file already names another helper."
    ClientPlainConflict "client.plain_conflict" "A client's files have different logins for one registry."
    SystemResources "system.resources" "The process has run out of file descriptors, threads or time."
    SystemFile "system.file" "A file or directory that this program needs cannot be used."
}

impl Code {
    /// The code if `part` did not answer: a mint's for `backend …`, a store's for `… store`, else a registry's.
    pub fn unreachable(part: &str) -> Self {
        Self::of(part, Self::MintUnreachable, Self::StoreUnreachable)
    }

    /// The code if something other than `part` answered.
    pub fn unexpected(part: &str) -> Self {
        Self::of(part, Self::MintUnexpected, Self::StoreUnexpected)
    }

    fn of(part: &str, backend: Self, store: Self) -> Self {
        if part.starts_with("backend ") {
            backend
        } else if part.ends_with(" store") {
            store
        } else {
            Self::RegistryUnreachable
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_in_the_form_area_dot_kind() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        for name in &names {
            let (area, kind) = name.split_once('.').unwrap();
            let plain = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain(area) && plain(kind) && !kind.is_empty(), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
