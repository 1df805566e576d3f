//! Images of GRUB that isobuild makes, compared with grub-mkimage's.

use isobuild::inside::formats::c32;
use isobuild::inside::formats::grub::{Embedded, bios, efi, modules, prefix};
use isobuild::inside::formats::pe::{Machine, write};
use qemu_tests::tools::{GRUB_EFI, GRUB_IA32, GRUB_PC, LDLINUX};
use qemu_tests::{pins, suite};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("core images for BIOS", &["grub-mkimage", GRUB_PC, "xz"], bios_cores),
    (
        "programs for UEFI",
        &["grub-mkimage", GRUB_EFI, GRUB_IA32],
        efi_programs,
    ),
    ("damaged parts", &[GRUB_PC, GRUB_EFI, LDLINUX], damaged),
];

/// Modules of many kinds, and what they need.
const MODULES: &[&str] = &["iso9660", "normal", "linux", "gfxterm", "search_fs_file", "part_gpt"];

const CONFIG: &[u8] = b"search --file --set=root /mark\n";

const SBAT: &[u8] = b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";

/// What grub-mkimage makes of the same.
fn by_grub_mkimage(format: &str, directory: &Path) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let (config, output) = (place.path().join("config"), place.path().join("image"));
    let sbat = place.path().join("sbat.csv");
    fs::write(&config, CONFIG).unwrap();
    fs::write(&sbat, SBAT).unwrap();
    let mut command = Command::new("grub-mkimage");
    command.args(["-O", format, "-p", "/boot/grub", "-c"]).arg(&config);
    if format.ends_with("efi") {
        command.args(["-s"]).arg(&sbat);
    }
    command.arg("-d").arg(directory).arg("-o").arg(&output).args(MODULES);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {done:?}");
    fs::read(output).unwrap()
}

fn module_files(directory: &Path) -> Vec<Vec<u8>> {
    let list = fs::read_to_string(directory.join("moddep.lst")).unwrap();
    let names = modules::with_dependencies(&list, MODULES).unwrap();
    let files = names
        .iter()
        .map(|name| fs::read(directory.join(format!("{name}.mod"))).unwrap());
    files.collect()
}

/// All but what is compressed is the same; and that is the same when it is decompressed by xz.
fn bios_cores() {
    let directory = Path::new(GRUB_PC).parent().unwrap();
    let read = |name: &str| fs::read(directory.join(name)).unwrap();
    let modules = module_files(directory);
    let embedded = Embedded {
        modules: &modules,
        config: Some(CONFIG),
        prefix: "/boot/grub",
    };
    let (cdboot, diskboot, decompressor, kernel) = (
        read("cdboot.img"),
        read("diskboot.img"),
        read("lzma_decompress.img"),
        read("kernel.img"),
    );
    let images = bios::Images {
        cdboot: &cdboot,
        diskboot: &diskboot,
        decompressor: &decompressor,
        kernel: &kernel,
    };
    let ours = bios::el_torito(&images, &embedded).unwrap();
    let theirs = by_grub_mkimage("i386-pc-eltorito", directory);
    let head = 2048 + 512;
    let field = |image: &[u8], at: usize| u32::from_le_bytes(image[at..][..4].try_into().unwrap()) as usize;
    // The number of sectors and the compressed length are each image's own.
    let without = |image: &[u8]| {
        let mut head = image[..head + decompressor.len()].to_vec();
        head[2048 + 508..2048 + 510].fill(0);
        head[2048 + 512 + 8..2048 + 512 + 12].fill(0);
        head
    };
    assert_eq!(without(&ours), without(&theirs));
    let unpacked = |image: &[u8]| {
        let packed = &image[head + decompressor.len()..];
        assert_eq!(field(image, head + 8), packed.len());
        let sectors = (decompressor.len() + packed.len()).div_ceil(512) as u16;
        assert_eq!(&image[2048 + 508..2048 + 510], sectors.to_le_bytes());
        unxz(packed, field(image, head + 12))
    };
    let (our_kernel, their_kernel) = (unpacked(&ours), unpacked(&theirs));
    assert_eq!(our_kernel.len(), their_kernel.len());
    assert!(our_kernel == their_kernel);
    println!("{} bytes; grub-mkimage's {}", ours.len(), theirs.len());
    assert!(ours.len() < theirs.len() + theirs.len() / 50);
}

/// Raw LZMA by the xz program: a header of the .lzma format in front, with the length that the decompressor is told.
fn unxz(packed: &[u8], length: usize) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("core.lzma");
    // (pb * 5 + lp) * 9 + lc, the dictionary, the length.
    let header = [&[93][..], &(1_u32 << 16).to_le_bytes(), &(length as u64).to_le_bytes()].concat();
    fs::write(&path, [&header, packed].concat()).unwrap();
    let done = Command::new("xz")
        .args(["--format=lzma", "-dc"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.stdout.len(), length);
    done.stdout
}

/// Byte by byte.
fn efi_programs() {
    let arm = tempfile::tempdir().unwrap();
    let package = pins::load("qemu-tests")
        .unwrap()
        .file("aa64/grub-efi-arm64-bin.deb")
        .unwrap();
    let unpacked = Command::new("dpkg-deb").arg("-x").arg(package).arg(arm.path()).status();
    assert!(unpacked.unwrap().success());
    let arm = arm.path().join("usr/lib/grub/arm64-efi/kernel.img");
    for (format, kernel, machine) in [
        ("x86_64-efi", Path::new(GRUB_EFI), Machine::X64),
        ("i386-efi", Path::new(GRUB_IA32), Machine::Ia32),
        ("arm64-efi", &arm, Machine::Aa64),
    ] {
        let directory = kernel.parent().unwrap();
        let modules = module_files(directory);
        let embedded = Embedded {
            modules: &modules,
            config: Some(CONFIG),
            prefix: "/boot/grub",
        };
        let linked = efi::link(&fs::read(kernel).unwrap(), &embedded).unwrap();
        let ours = write::write(&write::Program {
            machine,
            entry: linked.entry,
            sections: &[
                (".text", write::Use::Code, &linked.text),
                (".data", write::Use::Data, &linked.data),
                ("mods", write::Use::Data, &linked.modules),
                (".sbat", write::Use::Constant, SBAT),
            ],
            fixups: &linked.fixups,
            time: efi::TIME,
        });
        let theirs = by_grub_mkimage(format, directory);
        let differs = ours.iter().zip(&theirs).position(|(one, other)| one != other);
        assert_eq!((differs, ours.len()), (None, theirs.len()), "{format}");
    }
}

/// Other people's files, with bytes changed and ends cut: an error or an image, and nothing worse.
fn damaged() {
    let mut state: u64 = 7;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    let kernels = [GRUB_EFI, "/usr/lib/grub/i386-pc/kernel.img", LDLINUX].map(|path| fs::read(path).unwrap());
    let module = b"\x7fELF module".to_vec();
    let embedded = Embedded {
        modules: std::slice::from_ref(&module),
        config: Some(CONFIG),
        prefix: "/boot/grub",
    };
    let area = efi::link(&kernels[0], &embedded).unwrap().modules;
    let (mut made, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut files: Vec<Vec<u8>> = kernels.to_vec();
        files.push(area.clone());
        for file in &mut files {
            // The headers at either end more often than code.
            for _ in 0..1 + random() % 4 {
                let near = random() % file.len().min(0x400);
                let at = match random() % 3 {
                    0 => near,
                    1 => file.len() - 1 - near,
                    _ => random() % file.len(),
                };
                file[at] = if random() % 2 == 0 { 0xFF } else { random() as u8 };
            }
            if random() % 8 == 0 {
                file.truncate(random() % file.len());
            }
        }
        let images = bios::Images {
            cdboot: &[0; 2048],
            diskboot: &[0; 512],
            decompressor: &[0; 2848],
            kernel: &files[1],
        };
        // Compressing takes its time.
        let core = (random() % 16 == 0).then(|| bios::el_torito(&images, &embedded).is_ok());
        for is_made in core.into_iter().chain([efi::link(&files[0], &embedded).is_ok()]) {
            match is_made {
                true => made += 1,
                false => refused += 1,
            }
        }
        c32::needed(&files[2]);
        prefix(&files[3]);
    }
    println!("{made} images made, {refused} refused");
    assert!(made > 100 && refused > 100);
}
