//! Wire in, resolver, wire out.

pub mod docker;
mod errors;
mod input;
pub mod kubelet;

pub use input::{Input, ReadError, StdinInput, read_all};
