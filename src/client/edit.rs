//! Edits a client's file by its meaning: takes a text, returns the changed text, and reads that again to verify it. An
//! error says why a text can't be changed.

mod hosts;
mod json;
mod provider;
mod toml;
mod yaml;

pub use hosts::{add_mirror, is_bare, masked_hosts, remove_mirror};
pub use json::{HelperChange, laid_out, set_helpers, without_auths};
pub(crate) use provider::read as read_yaml;
pub use provider::{Providers, masked_provider, provider_names};
pub use toml::{add_helper, listed_helpers, remove_helper};

const FORM: &str = "it has a form that cannot be changed safely";
