//! `cargo xtask bench loader`: the built-in loader beside isolinux and GRUB.
//!
//! Each starts the same kernel with the same 73 MB initrd in the same machine, and the time is that from the start of QEMU until
//! the system has switched the machine off: firmware and kernel are in it for all of them.

use super::{median, ratios};
use crate::{inputs, shell};
use isobuild::inside::facts::cell::{Cell, Firmware};
use qemu_tests::pins::{self, Inputs};
use qemu_tests::system::{CELLS, END, System};
use qemu_tests::{tools, workspace};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How large the initrd is that each loader reads, in bytes.
const INITRD: usize = 73_000_000;

/// Prints the table.
pub(crate) fn run(rounds: usize) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    shell::run(cargo.args(["build", "--release"]).current_dir(workspace::root()))?;
    inputs::run(Some("qemu-tests"))?;
    inputs::run(Some("debian-installer"))?;
    let theirs = pins::load("debian-installer")?;
    let ours = prepared(
        "bench-builtin",
        "[boot]\ntimeout = 0\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"large.img\"\ncmdline = \"console=ttyS0\"\n",
    )?;
    let isolinux = prepared("bench-isolinux", &isolinux(&theirs)?)?;
    let grub_bios = grub_bios()?;
    let grub_uefi = prepared("bench-grub", &grub_uefi(&theirs)?)?;
    println!("{:10} {:>9}", "seconds", "built-in");
    for cell in CELLS {
        let others: &[(&str, &Prepared)] = match cell.firmware {
            Firmware::Bios => &[("isolinux", &isolinux), ("GRUB", &grub_bios)],
            _ => &[("GRUB", &grub_uefi)],
        };
        let mut mine = Vec::new();
        let mut times = vec![Vec::new(); others.len()];
        for _ in 0..rounds {
            mine.push(time(&ours, cell)?);
            for ((_, other), times) in others.iter().zip(&mut times) {
                times.push(time(other, cell)?);
            }
        }
        print!("{:10} {:9.2}", cell.to_string(), median(&mine));
        for ((name, _), times) in others.iter().zip(&times) {
            print!(
                "  {name:>8} {:5.2} {:5.2}x",
                median(times),
                median(&ratios(times, &mine))
            );
        }
        println!();
    }
    Ok(())
}

/// A system and its image.
struct Prepared {
    system: System,
    image: PathBuf,
}

fn prepared(name: &str, manifest: &str) -> Result<Prepared, String> {
    with(System::new(name, Firmware::Uefi)?, manifest)
}

fn with(system: System, manifest: &str) -> Result<Prepared, String> {
    let mut initrd = fs::read(system.path("initrd.img")).map_err(|e| e.to_string())?;
    // Zeros behind an archive cost the kernel next to nothing, and the loader as much as anything else.
    initrd.resize(INITRD, 0);
    system.put("large.img", &initrd)?;
    let image = system.image(manifest)?;
    Ok(Prepared { system, image })
}

fn time(prepared: &Prepared, cell: Cell) -> Result<f64, String> {
    let machine = prepared.system.bare(cell);
    let mut guest = machine
        .medium(&prepared.image, cell.medium)
        .start(&prepared.system.logs)?;
    // The end alone is waited for: it is looked for often, what has been said only then.
    guest.wait_for_end()?;
    let seconds = guest.age().as_secs_f64();
    guest.wait_for(&[END])?;
    Ok(seconds)
}

const FILES: &str =
    "[[files]]\nfrom = \"vmlinuz\"\nto = \"/boot/\"\n[[files]]\nfrom = \"large.img\"\nto = \"/boot/\"\n";

fn isolinux(inputs: &Inputs) -> Result<String, String> {
    let configuration =
        "default linux\nprompt 0\nlabel linux\nkernel /boot/vmlinuz\nappend initrd=/boot/large.img console=ttyS0\n";
    Ok(format!(
        "{FILES}[[files]]\ntext = {configuration:?}\nto = \"/isolinux/isolinux.cfg\"\n[[files]]\nfrom = {:?}\nto = \"/isolinux/\"\n\
         [[files]]\nfrom = {:?}\nto = \"/isolinux/\"\n[boot.bios]\nimage = \"iso:/isolinux/isolinux.bin\"\n\
         info_table = \"isolinux\"\nmbr = {:?}\n",
        inputs.file("ldlinux.c32")?,
        inputs.file("isolinux.bin")?,
        inputs.file("isohdpfx.bin")?
    ))
}

fn grub_uefi(inputs: &Inputs) -> Result<String, String> {
    let stub = workspace::root().join("examples/debian-installer/grub-esp.cfg");
    let stub = fs::read_to_string(&stub).map_err(|e| format!("{}: {e}", stub.display()))?;
    let stub = stub.replace("/install.amd/initrd.gz", "/boot/large.img");
    Ok(format!(
        "{FILES}[[files]]\ntext = {GRUB_CFG:?}\nto = \"/boot/grub/grub.cfg\"\n[[files]]\ntext = {stub:?}\nto = \"/esp.cfg\"\n\
         [boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = {:?}\n\"/boot/grub/grub.cfg\" = \"iso:/esp.cfg\"\n",
        inputs.file("gcdx64.efi.signed")?
    ))
}

const GRUB_CFG: &str = "linux /boot/vmlinuz console=ttyS0\ninitrd /boot/large.img\nboot\n";

/// GRUB for BIOS as Debian's rescue disc has it, with this configuration.
fn grub_bios() -> Result<Prepared, String> {
    let inputs = pins::load("qemu-tests")?;
    let system = System::new("bench-grub-bios", Firmware::Bios)?;
    let mut bsdtar = Command::new(tools::find("bsdtar")?);
    bsdtar.arg("-xf").arg(inputs.file("grub-rescue.iso")?).arg("-C");
    shell::output(bsdtar.arg(system.path("")).arg("boot/grub/i386-pc"))?;
    let manifest = format!(
        "{FILES}[[files]]\ntext = {GRUB_CFG:?}\nto = \"/boot/grub/grub.cfg\"\n\
         [[files]]\nfrom = \"boot/grub/i386-pc/\"\nto = \"/boot/grub/i386-pc/\"\n\
         [boot.bios]\nimage = \"iso:/boot/grub/i386-pc/eltorito.img\"\ninfo_table = \"grub2\"\nmbr = {:?}\n",
        inputs.file("boot_hybrid.img")?
    );
    with(system, &manifest)
}
