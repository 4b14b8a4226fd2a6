//! The least a Rust program can be: the runtime's start, one line to standard output.

fn main() {
    println!("hello");
}
