//! `isobuild doctor`

use super::Failure;
use crate::vm::doctor;

use super::print;

pub(super) fn run() -> Result<(), Failure> {
    let mut out = String::new();
    for finding in doctor::examine() {
        let word = match finding.found {
            Ok(found) => found,
            Err(missing) => missing,
        };
        out += &format!("{:20} {word}\n", finding.name);
    }
    print(&out)
}
