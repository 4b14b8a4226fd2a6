//! Changes of a client's file by what it says: a text goes in, the text with the change comes out, and what comes out is read
//! again before it counts. An error says why a text does not allow the change.

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
