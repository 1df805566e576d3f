//! GRUB's scripts, run without GRUB: what its menu would show.
//!
//! Constants are followed. What only a machine knows is not: of a condition on that, both ways are taken, and the entries say so.

mod arguments;
mod commands;
mod condition;
mod find;
mod script;
mod shell;
mod start;
mod values;
mod words;

pub(super) use arguments::{arguments, quoted};
pub(super) use shell::run;
