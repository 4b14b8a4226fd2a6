//! The cause and fix of a refusal, by status or AADSTS code.

/// The cause and fix of a refusal by the registry.
pub(super) fn of_registry(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => (
            "the registry does not know this kind of login",
            "check whether AZURE_TENANT_ID is the registry's tenant",
        ),
        401 => (
            "the registry refused the identity",
            "give it AcrPull on the registry (Container Registry Repository Reader where ABAC is on), and check whether its tenant is the registry's",
        ),
        403 => (
            "the registry's network rules keep this node out",
            "allow its address there, or use a private endpoint",
        ),
        404 => (
            "no registry of this name exchanges tokens",
            "check whether the registry's name is right",
        ),
        _ => (
            "the registry refused the login",
            "check whether it is what it should be",
        ),
    }
}

pub(super) fn of_metadata(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => (
            "the node has no such managed identity",
            "assign one to it, or set AZURE_CLIENT_ID to the one it has",
        ),
        401 | 403 => (
            "the node's identity endpoint refused this process",
            "see IDENTITY_ENDPOINT and IDENTITY_HEADER",
        ),
        _ => ("no managed identity on this node", NOT_ON_AZURE),
    }
}

pub(super) fn of_code(code: u32) -> &'static (&'static [u32], &'static str, &'static str) {
    let row = CODES.iter().find(|(codes, ..)| codes.contains(&code));
    row.unwrap_or(&(
        &[],
        "Entra refused the login",
        "look it up at https://login.microsoftonline.com/error",
    ))
}

pub(super) const NOT_ON_AZURE: &str = "give the node an identity, or turn ambient off if this is not an Azure machine; set AZURE_TENANT_ID and the rest for another identity";

const CODES: &[(&[u32], &str, &str)] = &[
    (
        &[7_000_215],
        "the client secret is wrong",
        "set AZURE_CLIENT_SECRET to the secret's value, not to its ID",
    ),
    (
        &[7_000_222],
        "the client secret has expired",
        "make a new one for the application and set AZURE_CLIENT_SECRET",
    ),
    (
        &[700_016, 7_000_229],
        "the application is unknown in this tenant",
        "correct AZURE_CLIENT_ID or AZURE_TENANT_ID",
    ),
    (
        &[7_000_112],
        "the application is disabled",
        "enable it, or use another one",
    ),
    (
        &[90_002, 900_023],
        "the tenant is unknown in this cloud",
        "correct AZURE_TENANT_ID",
    ),
    (
        &[700_024],
        "the federated token is not within its time",
        "check whether the node's clock is right and AZURE_FEDERATED_TOKEN_FILE, where that is used, is renewed",
    ),
    (
        &[700_211],
        "the federated token has another issuer",
        "give the application a federated credential for it",
    ),
    (
        &[700_212],
        "the federated token is for another audience",
        "let it be for api://AzureADTokenExchange",
    ),
    (
        &[700_213],
        "the federated token has another subject",
        "give the application a federated credential for it",
    ),
    (
        &[70_021],
        "the application has no federated credential for this token",
        "give it one",
    ),
    (
        &[50_027, 700_027, 5_002_738],
        "the federated token's signature does not verify",
        "check whether its issuer publishes the key it signs with",
    ),
    (
        &[500_011],
        "the tenant does not know the registry service",
        "register the provider Microsoft.ContainerRegistry there",
    ),
    (
        &[53_003],
        "conditional access keeps the application out",
        "exempt it, or use it from where it may be used",
    ),
];
