//! `isobuild doctor`

use crate::manifest::error::Error;
use crate::vm::doctor;

use super::print;

pub(super) fn run() -> Result<(), Error> {
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
