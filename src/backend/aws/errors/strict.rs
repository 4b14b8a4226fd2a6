//! Extracts words of strict syntax from AWS's messages; nothing else of a message is shown.

use crate::host::is_account;

/// The word that follows `words` in the message.
pub(super) fn after<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    message
        .split_once(words)
        .and_then(|(_, rest)| rest.split_whitespace().next())
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
pub(super) fn is_principal(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, region, account, name] = parts[..] else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte);
    arn == "arn"
        && partition
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && matches!(service, "iam" | "sts")
        && region.is_empty()
        && is_account(account)
        && name.len() <= 256
        && name.bytes().all(plain)
        && ["user/", "role/", "assumed-role/", "federated-user/", "root"]
            .iter()
            .any(|kind| name.starts_with(kind))
}

pub(super) fn is_action(text: &str) -> bool {
    let Some((service, action)) = text.split_once(':') else {
        return false;
    };
    let is_service = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&service.len())
        && service.bytes().all(is_service)
        && (1..=64).contains(&action.len())
        && action.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// An error code if it is safe to show, else an empty text.
pub(super) fn word(code: &str) -> &str {
    let is_word =
        (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { code } else { UNKNOWN }
}

const UNKNOWN: &str = "for an unknown reason";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_principal_and_an_action_in_strict_syntax_pass() {
        for good in [
            "arn:aws:iam::123456789012:user/tenant",
            "arn:aws-cn:sts::123456789012:assumed-role/puller/beta9@x",
            "arn:aws:iam::123456789012:root",
        ] {
            assert!(is_principal(good), "{good}");
        }
        for bad in [
            "",
            "anonymous",
            "arn:aws:iam::123456789012:user/a<b>",
            "arn:aws:iam::12345678901:user/x",
            "arn:aws:s3::123456789012:user/x",
            "arn:aws:iam::123456789012:secret/x",
            "arn:aws:iam::123456789012:user/x:y",
        ] {
            assert!(!is_principal(bad), "{bad}");
        }
        assert!(is_action("ecr-public:GetAuthorizationToken") && is_action("sts:AssumeRole"));
        assert!(
            !is_action("hunter2")
                && !is_action("a:b c")
                && !is_action(":X")
                && !is_action("ecr:Get-It")
        );
        assert_eq!(
            (word("ThrottlingException"), word("a<b>"), word("")),
            ("ThrottlingException", UNKNOWN, UNKNOWN)
        );
    }
}
