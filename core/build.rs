//! A new migration is a new file: without this, only changes of the known ones would be seen.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
