//! Wire in, resolver, wire out.

pub mod docker;
mod input;

pub use input::{Input, ReadError, StdinInput, read_all};
