//! The protocols of docker and kubelet: reads a request, asks the resolver, writes the answer.

pub mod docker;
mod errors;
mod input;
pub mod kubelet;

pub use input::{Input, ReadError, StdinInput, read_all};
