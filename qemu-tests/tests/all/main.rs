//! Every test that runs the program, in one binary. A group is a file; its tests have its name before theirs, so that
//! `cargo test --package qemu-tests -- diff` runs those of a group.

mod agreement;
mod archives;
mod attributes;
mod base;
mod base_compact;
mod base_hostile;
mod base_of_others;
mod bochs;
mod boot;
mod check;
mod cli;
mod containers;
mod copied_files;
mod diff;
mod digests;
mod disks;
mod edit;
mod edit_coreos;
mod edit_faults;
mod examples;
mod extract;
mod fat_volumes;
mod gpt_tables;
mod grub;
mod guest_devices;
mod import;
mod input_faults;
mod inspect;
mod judges;
mod large_trees;
mod linux_guest;
mod loader;
mod loader_faults;
mod look;
mod machines;
mod multi_sector;
mod mutations;
mod other_loaders;
mod others_images;
mod output_faults;
mod output_places;
mod output_signals;
mod read;
mod run;
mod secure_boot;
mod secure_boot_matrix;
mod serial_io;
mod sign;
mod story;
mod udf;
mod udf_written;
mod verify;
mod words;
mod write;
mod write_faults;
mod write_refusals;

use peak_alloc::PeakAlloc;
use qemu_tests::suite::{self, Group};
use std::process::ExitCode;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const GROUPS: &[Group] = &[
    Group::new("agreement", agreement::tests).and_then(agreement::table),
    Group::new("archives", archives::tests),
    Group::new("attributes", attributes::tests),
    Group::new("base", base::tests),
    Group::new("base_compact", base_compact::tests),
    Group::new("base_hostile", base_hostile::tests),
    Group::new("base_of_others", base_of_others::tests),
    Group::new("bochs", bochs::tests),
    Group::new("boot", boot::tests),
    Group::new("check", check::tests),
    Group::new("cli", cli::tests),
    Group::new("containers", containers::tests),
    Group::new("disks", disks::tests),
    Group::new("copied_files", copied_files::tests),
    Group::new("diff", diff::tests),
    Group::new("digests", digests::tests),
    Group::new("edit", edit::tests),
    Group::new("edit_coreos", edit_coreos::tests),
    Group::new("edit_faults", edit_faults::tests),
    Group::new("examples", examples::tests),
    Group::new("extract", extract::tests),
    Group::new("fat_volumes", fat_volumes::tests),
    Group::new("gpt_tables", gpt_tables::tests),
    Group::new("grub", grub::tests),
    Group::new("guest_devices", guest_devices::tests),
    Group::new("import", import::tests),
    Group::new("input_faults", input_faults::tests),
    Group::new("inspect", inspect::tests),
    Group::new("judges", judges::tests),
    Group::new("large_trees", large_trees::tests),
    Group::new("linux_guest", linux_guest::tests),
    Group::new("loader", loader::tests),
    Group::new("loader_faults", loader_faults::tests),
    Group::new("look", look::tests),
    Group::new("machines", machines::tests),
    Group::new("multi_sector", multi_sector::tests),
    // Each has the memory for itself.
    Group::new("mutations", mutations::tests).in_turn(),
    Group::new("other_loaders", other_loaders::tests),
    Group::new("others_images", others_images::tests),
    Group::new("output_faults", output_faults::tests),
    Group::new("output_places", output_places::tests),
    Group::new("output_signals", output_signals::tests),
    Group::new("read", read::tests),
    Group::new("run", run::tests),
    Group::new("secure_boot", secure_boot::tests),
    Group::new("secure_boot_matrix", secure_boot_matrix::tests),
    Group::new("serial_io", serial_io::tests),
    Group::new("sign", sign::tests),
    Group::new("story", story::tests),
    Group::new("udf", udf::tests),
    Group::new("udf_written", udf_written::tests),
    Group::new("verify", verify::tests),
    Group::new("words", words::tests),
    Group::new("write", write::tests),
    Group::new("write_faults", write_faults::tests),
    Group::new("write_refusals", write_refusals::tests),
];

fn main() -> ExitCode {
    suite::run(GROUPS)
}
