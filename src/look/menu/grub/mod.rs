//! GRUB's scripts, run without GRUB: what its menu would show.
//!
//! The reader evaluates constants. If a condition depends on the machine, it follows both branches, and each entry has its condition.

mod arguments;
mod commands;
mod condition;
mod find;
mod script;
mod shell;
mod start;
mod values;
mod words;

pub(super) use arguments::{arguments, initrds, quoted};
pub(super) use shell::run;
