//! The smallest Rust program: the runtime's start and one line on standard output.

fn main() {
    println!("hello");
}
