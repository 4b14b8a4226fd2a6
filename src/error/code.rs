//! The names that programs know failures by: `area.kind`, never changed once they are released.

use std::fmt;

macro_rules! codes {
    ($($name:ident $text:literal $about:literal)*) => {
        /// The name of a kind of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $about] $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it means, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about),* }
            }
        }
    };
}

codes! {
    InputUnreadable "input.unreadable" "Standard input or an argument cannot be read, or is not what the command takes."
    InputBadServerUrl "input.bad_server_url" "A server URL or registry has no valid form."
    InputBadReference "input.bad_reference" "An image reference has no valid form, or names no image."
    InputUsage "input.usage" "The command line is wrong."
    OutputUnwritable "output.unwritable" "The answer cannot be written."
    ConfigInvalid "config.invalid" "A setting or a variable has a value that it cannot have."
    ConfigUnknownKey "config.unknown_key" "A configuration file has a key that does not exist."
    ConfigUnreadable "config.unreadable" "A configuration file cannot be read or parsed."
    ConfigMissing "config.missing" "A setting that is needed is missing."
    ConfigConflict "config.conflict" "Two settings contradict each other."
    ConfigForeignOwner "config.foreign_owner" "A file that steers this program belongs to somebody else, or others can write to it."
    StoreUnreachable "store.unreachable" "A store did not answer, or answered that it cannot do so now."
    StoreRefused "store.refused" "A store refused the token or password, or it may not do this."
    StoreNotFound "store.not_found" "A workspace, an image or a secret that must be there is not there."
    StoreDamaged "store.damaged" "What is stored cannot be opened or read."
    StoreUnexpected "store.unexpected" "Something else than the store answers at its address, or its schema is unknown."
    StoreUnsupported "store.unsupported" "The store has no such operation."
    StoreConflict "store.conflict" "What is to be written is another registry's, or was changed meanwhile."
    StoreUnwritable "store.unwritable" "The store cannot be written."
    StoreNewerFormat "store.newer_format" "A newer version of this program wrote what is stored."
    SecretHalfPair "secret.half_pair" "A user name has no password, or a password has no user name."
    SecretInvalid "secret.invalid" "A secret isn't a credential, or a value in it has no valid form."
    SecretWrongVendor "secret.wrong_vendor" "A secret holds keys of another vendor than the registry's."
    SecretWrongRegistry "secret.wrong_registry" "A secret is recorded for another registry."
    SecretUnbound "secret.unbound" "Nothing says which registry a secret is for."
    SecretNamesMissing "secret.names_missing" "A named secret is missing or empty."
    CredentialNotFound "credential.not_found" "No store has a credential for the registry."
    CredentialExpired "credential.expired" "A credential's end has come."
    MintRefused "mint.refused" "The provider refused the identity or what it asked for."
    MintThrottled "mint.throttled" "The provider limits its requests."
    MintUnreachable "mint.unreachable" "The provider did not answer, or answered that it cannot do so now."
    MintUnexpected "mint.unexpected" "The provider's answer holds no token, or somebody else answers in its place."
    MintNoIdentity "mint.no_identity" "This node, or the keys given, have no identity that could ask for a token."
    MintInvalidKeys "mint.invalid_keys" "The keys for a cloud are not complete, or have no valid form."
    CacheLocked "cache.locked" "Another process kept the lock of a token until the deadline."
    CacheUnusable "cache.unusable" "The token cache cannot be opened."
    RegistryRefused "registry.refused" "The registry refused the credential."
    RegistryUnreachable "registry.unreachable" "The registry did not answer."
    ClientFileBroken "client.file_broken" "A client's file cannot be read or parsed."
    ClientFileUnwritable "client.file_unwritable" "A client's file cannot be changed."
    ClientNotFoundOnPath "client.not_found_on_path" "A client cannot find this program."
    ClientConflict "client.conflict" "A client's file names another helper already."
    ClientPlainConflict "client.plain_conflict" "A client's file holds logins for one registry that differ."
    SystemResources "system.resources" "The process has no file descriptors, threads or time left."
    SystemFile "system.file" "A file or directory of this program cannot be used."
}

impl Code {
    /// The one of this name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// `part` did not answer: `backend …` mints, `… store` holds secrets, and all else is a registry.
    pub fn unreachable(part: &str) -> Self {
        Self::of(part, Self::MintUnreachable, Self::StoreUnreachable)
    }

    /// What answered is not what `part` should be.
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
