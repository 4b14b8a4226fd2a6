//! Credential documents: Google's JSON files that define an identity, and what a tenant's may contain.
//!
//! Formats: <https://google.aip.dev/auth/4112> (service account), 4113 (user), 4117 (external account).

mod reader;

use std::path::PathBuf;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reader::Document;
use zeroize::Zeroizing;

use super::errors::{DocumentFault, GcpError};
use crate::credential::Redacted;
use crate::json;

/// The identity that logs in, and those that it impersonates.
#[derive(Debug)]
pub(super) struct Identity {
    /// The document's source for errors: a key of the secret, or a file.
    pub(super) origin: String,
    pub(super) base: Base,
    /// The service accounts to impersonate, in order.
    pub(super) acts_as: Vec<ActsAs>,
}

/// The identity that logs in.
#[derive(Debug)]
pub(super) enum Base {
    Account(Account),
    User(User),
    External(External),
}

/// A service account's key.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) email: String,
    pub(super) key_id: Option<String>,
    /// PKCS #8, PEM.
    pub(super) key: Redacted,
    pub(super) token_uri: String,
}

/// The result of `gcloud auth application-default login`.
#[derive(Debug)]
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: Redacted,
    pub(super) refresh_token: Redacted,
    pub(super) token_uri: String,
}

/// An identity of another provider that Google is configured to trust.
#[derive(Debug)]
pub(super) struct External {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: String,
    /// Client id and secret, if the provider requires them.
    pub(super) client: Option<(String, Redacted)>,
    /// For workforce identities: the project that is billed.
    pub(super) user_project: Option<String>,
    pub(super) source: Source,
}

/// Where the subject token comes from.
#[derive(Debug)]
pub(super) enum Source {
    File {
        path: PathBuf,
        field: Option<String>,
    },
    Url {
        url: String,
        headers: Vec<(String, Redacted)>,
        field: Option<String>,
    },
    Aws {
        verification_url: String,
    },
    /// A pod's token from kubelet.
    Pod {
        token: Redacted,
    },
}

/// A service account to impersonate.
#[derive(Debug)]
pub(super) struct ActsAs {
    pub(super) url: String,
    pub(super) delegates: Vec<String>,
}

/// The author of a document, who determines what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// A tenant, who may give a key, but nothing that reads files, calls chosen addresses or runs programs.
    Tenant,
    /// The operator, who may do all of that.
    Operator,
}

/// Reads the document in a secret: JSON or base64 of it, never a path.
pub(super) fn of_secret(name: &str, text: &Redacted) -> Result<Identity, GcpError> {
    let text = text.expose().trim_start_matches('\u{feff}').trim();
    if text.starts_with('{') {
        return parse(name, text.as_bytes(), Author::Tenant);
    }
    if text.starts_with(['/', '~', '.']) || text.contains("://") {
        return Err(DocumentFault::Path.of(name));
    }
    let decoded = unwrapped(text);
    match decoded.as_deref().map(|bytes| bytes.trim_ascii()) {
        Some(json) if json.starts_with(b"{") => parse(name, json, Author::Tenant),
        _ => Err(DocumentFault::Neither.of(name)),
    }
}

/// Decodes base64 as people produce it: with line ends, with or without padding.
fn unwrapped(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    GeneralPurpose::new(&STANDARD, lenient)
        .decode(compact.as_slice())
        .ok()
        .map(Zeroizing::new)
}

/// Parses a document from JSON.
pub(super) fn parse(origin: &str, text: &[u8], author: Author) -> Result<Identity, GcpError> {
    let mut acts_as = Vec::new();
    let base = json::strict_object(text)
        .map_err(DocumentFault::Json)
        .and_then(|document: Document| document.base(author, &mut acts_as, true))
        .map_err(|fault| fault.of(origin))?;
    // Collected from the outside in, but used from the inside out.
    acts_as.reverse();
    Ok(Identity {
        origin: origin.to_owned(),
        base,
        acts_as,
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD as PADDED, STANDARD_NO_PAD};

    use super::*;

    const ACCOUNT: &str = r#"{"type":"service_account","client_email":"a@p","private_key":"PEM","private_key_id":"7"}"#;

    fn secret(text: &str) -> Result<Identity, String> {
        of_secret("KEY", &text.into()).map_err(|error| error.to_string())
    }

    fn with(text: &str, member: &str) -> String {
        format!("{},{member}}}", &text[..text.len() - 1])
    }

    #[test]
    fn a_key_is_read_as_json_and_as_base64_of_any_shape() {
        let encoded = PADDED.encode(with(ACCOUNT, r#""x":1"#));
        let wrapped: Vec<_> = encoded
            .as_bytes()
            .chunks(20)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        for text in [
            ACCOUNT.to_owned(),
            format!("\u{feff}\n{}\r\n", ACCOUNT.replace(',', ",\n  ")),
            STANDARD_NO_PAD.encode(ACCOUNT),
            wrapped.join("\r\n"),
        ] {
            let identity = secret(&text).unwrap();
            let Base::Account(account) = identity.base else {
                panic!("{text}")
            };
            assert_eq!(
                (account.email.as_str(), account.key.expose()),
                ("a@p", "PEM")
            );
            assert_eq!(account.token_uri, "https://oauth2.googleapis.com/token");
        }
    }

    #[test]
    fn a_secret_names_no_file_and_is_nothing_else_than_a_key() {
        for text in [
            "/etc/passwd",
            "~/key.json",
            "../key.json",
            "file:///etc/passwd",
            "https://evil.example/key",
        ] {
            assert!(
                secret(text)
                    .unwrap_err()
                    .contains("KEY is a path, and a secret may not name files"),
                "{text}"
            );
        }
        for text in ["hunter2", "aHVudGVyMg==", "[]", ""] {
            let error = secret(text).unwrap_err();
            assert!(
                error.contains("KEY is neither JSON nor base64 of JSON"),
                "{error}"
            );
            assert!(!error.contains("hunter2"));
        }
    }

    #[test]
    fn a_tenants_document_says_nothing_about_where_anybody_goes() {
        let table = [
            (
                r#"{"type":"external_account"}"#.to_owned(),
                "\"type\" is external_account",
            ),
            (
                r#"{"type":"impersonated_service_account"}"#.to_owned(),
                "\"type\" is impersonated_service_account",
            ),
            (
                r#"{"type":"gdch_service_account"}"#.to_owned(),
                "\"type\" is neither",
            ),
            (
                r#"{"type":["service_account"]}"#.to_owned(),
                "\"type\" is missing",
            ),
            (
                with(ACCOUNT, r#""token_uri":"https://evil.example/token""#),
                "\"token_uri\" is not Google's own",
            ),
            (
                with(
                    ACCOUNT,
                    r#""token_uri":"https://oauth2.googleapis.com/token/""#,
                ),
                "\"token_uri\" is not Google's own",
            ),
            (
                with(ACCOUNT, r#""token_uri":null"#),
                "\"token_uri\" is missing or no text",
            ),
            (
                with(ACCOUNT, r#""universe_domain":"evil.example""#),
                "\"universe_domain\" is not googleapis.com",
            ),
            (
                with(ACCOUNT, r#""type":"external_account""#),
                "a key stands in it twice",
            ),
            (
                with(ACCOUNT, r#""nobody":1,"nobody":2"#),
                "a key stands in it twice",
            ),
        ];
        for (text, cause) in table {
            let error = secret(&text).unwrap_err();
            assert!(error.contains(cause) && error.contains("KEY"), "{error}");
            assert!(!error.contains("evil.example"), "{error}");
        }
        let old = secret(&with(
            ACCOUNT,
            r#""token_uri":"https://accounts.google.com/o/oauth2/token""#,
        ))
        .unwrap();
        assert!(
            matches!(old.base, Base::Account(account) if account.token_uri == "https://oauth2.googleapis.com/token")
        );
    }

    #[test]
    fn an_operators_document_may_say_all_of_it_over_tls() {
        let external = r#"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://sts/",
            "service_account_impersonation_url":"https://iam/inner","credential_source":{"file":"/t",
            "format":{"type":"json","subject_token_field_name":"f"}}}"#;
        let nested = format!(
            r#"{{"type":"impersonated_service_account","service_account_impersonation_url":"https://iam/outer",
            "delegates":["d"],"source_credentials":{external}}}"#
        );
        let read = |text: &str| {
            parse("file", text.as_bytes(), Author::Operator).map_err(|error| error.to_string())
        };
        let identity = read(&nested).unwrap();
        let targets: Vec<_> = identity
            .acts_as
            .iter()
            .map(|target| target.url.as_str())
            .collect();
        assert_eq!(targets, ["https://iam/inner", "https://iam/outer"]);
        let Base::External(External {
            source: Source::File { field, .. },
            ..
        }) = identity.base
        else {
            panic!()
        };
        assert_eq!(field.as_deref(), Some("f"));
        assert!(
            read(&external.replace("https://sts/", "http://sts/"))
                .unwrap_err()
                .contains("\"token_url\" is not an https")
        );
        let program =
            external.replace("\"file\":\"/t\"", r#""executable":{"command":"/bin/true"}"#);
        assert!(
            read(&program)
                .unwrap_err()
                .contains("\"credential_source\" is neither")
        );
        assert!(
            read(&format!(
                r#"{{"type":"impersonated_service_account","service_account_impersonation_url":"https://i/",
            "source_credentials":{nested}}}"#
            ))
            .unwrap_err()
            .contains("\"type\" isn't one")
        );
    }

    #[test]
    fn no_error_quotes_a_document() {
        use crate::json::tests::no_error_quotes_a_value;
        let account = r#"{"type":"service_account","client_email":"hunter2","private_key":"hunter2","token_uri":"https://oauth2.googleapis.com/token","universe_domain":"googleapis.com"}"#;
        let user = r#"{"type":"authorized_user","client_id":"hunter2","client_secret":"hunter2","refresh_token":"hunter2"}"#;
        let external = r#"{"type":"external_account","audience":"hunter2","subject_token_type":"hunter2","token_url":"https://hunter2","service_account_impersonation_url":"https://hunter2","delegates":["hunter2"],"credential_source":{"url":"hunter2","headers":{"a":"hunter2"},"format":{"type":"json","subject_token_field_name":"f"}}}"#;
        let nested = format!(
            r#"{{"type":"impersonated_service_account","service_account_impersonation_url":"https://hunter2","source_credentials":{external}}}"#
        );
        for text in [account, user] {
            no_error_quotes_a_value(text, |text| parse("KEY", text, Author::Tenant));
        }
        for text in [account, user, external, &nested] {
            no_error_quotes_a_value(text, |text| parse("file", text, Author::Operator));
        }
    }
}
