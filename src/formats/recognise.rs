//! What bytes are, by their magic numbers: the one table of them. What a form is called, and whether it can be used, says whoever asks.

use std::io;

use crate::ground::read_at::ReadAt;

/// A form that bytes can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 1952.
    Gzip,
    /// gzip before its method of compression had a number.
    OldGzip,
    /// The .xz file format 1.1.
    Xz,
    /// RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// LZMA alone, which has no magic number.
    Lzma,
    /// LZ4 frames.
    Lz4,
    /// LZ4 frames as Linux decompresses them.
    OldLz4,
    /// lzip.
    Lzip,
    /// compress.
    Compress,
    /// lzop.
    Lzop,
    /// QEMU, docs/interop/qcow2.txt.
    Qcow2,
    /// A VMDK file with its own bytes.
    Vmdk,
    /// The text of a VMDK whose bytes are in other files.
    VmdkDescriptor,
    /// A Hyper-V disk of the second version.
    Vhdx,
    /// A Virtual PC disk that begins with a copy of its footer.
    Vhd,
    /// A Virtual PC disk of fixed size, which ends with a footer.
    FixedVhd,
    /// A VirtualBox disk.
    Vdi,
    /// QED, an older disk of QEMU.
    Qed,
    /// A Parallels disk.
    Parallels,
    /// Android's sparse image.
    AndroidSparse,
    /// UltraISO's compressed image.
    Isz,
    /// A compressed image of a game console.
    Cso,
    /// ECMA-130 §14.1: whole sectors of a CD.
    RawSectors,
    /// Apple's disk image: the trailer at its end.
    Dmg,
    /// The same, encrypted.
    EncryptedDmg,
    /// Nero's image: the trailer at its end.
    Nero,
    /// A Windows image, MS-WIM.
    Wim,
    /// A ZIP archive.
    Zip,
    /// A 7z archive.
    SevenZip,
    /// A RAR archive.
    Rar,
    /// A Cabinet archive.
    Cab,
    /// A XAR archive.
    Xar,
    /// A tar archive with a magic number. Older ones have none.
    Tar,
    /// A cpio archive in ASCII, as Linux unpacks it.
    Cpio,
    /// A cpio archive of another kind.
    OldCpio,
    /// An ar archive.
    Ar,
    /// An RPM package.
    Rpm,
    /// A PDF document.
    Pdf,
    /// An ELF file.
    Elf,
    /// A PNG picture.
    Png,
    /// A JPEG picture.
    Jpeg,
    /// The Linux x86 boot protocol.
    LinuxKernel,
    /// UEFI 5.3.2: a GPT for logical sectors of this many bytes.
    Gpt(u64),
    /// ECMA-119: a volume descriptor in logical sector 16.
    Iso9660,
    /// ECMA-119 and El Torito: a boot record in logical sector 17.
    ElTorito,
    /// ECMA-167: a volume recognition sequence that begins in logical sector 16.
    Udf,
    /// Inside Macintosh: Files, 2-60, and TN1150.
    Hfs,
    /// ext2, ext3 and ext4.
    Ext,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// An encrypted volume, LUKS.
    Luks,
    /// squashfs.
    Squashfs,
    /// EROFS.
    Erofs,
    /// F2FS.
    F2fs,
    /// cramfs.
    Cramfs,
    /// romfs.
    Romfs,
    /// The Minix file system, version 1.
    Minix,
    /// A physical volume of LVM.
    Lvm,
    /// Linux's swap space.
    Swap,
    /// UFS of the BSD systems, versions 1 and 2.
    Ufs,
    /// NTFS.
    Ntfs,
    /// exFAT.
    ExFat,
    /// FAT32, by the name that its makers write.
    Fat32,
    /// FAT12 and FAT16, by the same.
    Fat,
    /// A part of a Linux RAID, metadata of version 1.2.
    Raid,
}

/// Where a magic number stands.
#[derive(Clone, Copy)]
enum Place {
    /// So many bytes behind the first.
    Start(u64),
    /// So many bytes before the end.
    End(u64),
}

use Form::*;
use Place::{End, Start};

/// Form, place and magic number. Of two that a file has, the earlier says more.
const MAGIC: &[(Form, Place, &[u8])] = &[
    (Gzip, Start(0), b"\x1f\x8b"),
    (OldGzip, Start(0), b"\x1f\x9e"),
    (Xz, Start(0), b"\xfd7zXZ\0"),
    (Zstd, Start(0), b"\x28\xb5\x2f\xfd"),
    (Bzip2, Start(0), b"BZh"),
    (Lz4, Start(0), b"\x04\x22\x4d\x18"),
    (OldLz4, Start(0), b"\x02\x21\x4c\x18"),
    (Lzip, Start(0), b"LZIP"),
    (Compress, Start(0), b"\x1f\x9d"),
    (Lzop, Start(0), b"\x89LZO\0\r\n\x1a\n"),
    (Qcow2, Start(0), b"QFI\xfb"),
    (Vmdk, Start(0), b"KDMV"),
    (Vmdk, Start(0), b"COWD"),
    (VmdkDescriptor, Start(0), b"# Disk DescriptorFile"),
    (Vhdx, Start(0), b"vhdxfile"),
    (Vhd, Start(0), b"conectix"),
    (Vdi, Start(64), b"\x7f\x10\xda\xbe"),
    (Qed, Start(0), b"QED\0"),
    (Parallels, Start(0), b"WithoutFreeSpace"),
    (Parallels, Start(0), b"WithouFreSpacExt"),
    (AndroidSparse, Start(0), b"\x3a\xff\x26\xed"),
    (EncryptedDmg, Start(0), b"encrcdsa"),
    (Isz, Start(0), b"IsZ!"),
    (Cso, Start(0), b"CISO"),
    (RawSectors, Start(0), b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"),
    (Wim, Start(0), b"MSWIM\0\0\0"),
    (Zip, Start(0), b"PK\x03\x04"),
    // One without entries begins with the end of its directory.
    (Zip, Start(0), b"PK\x05\x06"),
    (SevenZip, Start(0), b"7z\xbc\xaf\x27\x1c"),
    (Rar, Start(0), b"Rar!\x1a\x07"),
    (Cab, Start(0), b"MSCF\0\0\0\0"),
    (Xar, Start(0), b"xar!"),
    (Tar, Start(257), b"ustar"),
    (Cpio, Start(0), b"070701"),
    (Cpio, Start(0), b"070702"),
    (OldCpio, Start(0), b"070707"),
    // 0o070707 in sixteen bits, of a machine of either kind.
    (OldCpio, Start(0), b"\xc7\x71"),
    (OldCpio, Start(0), b"\x71\xc7"),
    (Ar, Start(0), b"!<arch>\n"),
    (Rpm, Start(0), b"\xed\xab\xee\xdb"),
    (Pdf, Start(0), b"%PDF-"),
    (Elf, Start(0), b"\x7fELF"),
    (Png, Start(0), b"\x89PNG\r\n\x1a\n"),
    (Jpeg, Start(0), b"\xff\xd8\xff"),
    (LinuxKernel, Start(0x202), b"HdrS"),
    (Gpt(512), Start(512), b"EFI PART"),
    (Gpt(2048), Start(2048), b"EFI PART"),
    (Gpt(4096), Start(4096), b"EFI PART"),
    (Ext, Start(0x438), b"\x53\xef"),
    (Xfs, Start(0), b"XFSB"),
    (Btrfs, Start(0x10040), b"_BHRfS_M"),
    (Luks, Start(0), b"LUKS\xba\xbe"),
    (Squashfs, Start(0), b"hsqs"),
    (Erofs, Start(0x400), b"\xe2\xe1\xf5\xe0"),
    (F2fs, Start(0x400), b"\x10\x20\xf5\xf2"),
    (Cramfs, Start(0), b"\x45\x3d\xcd\x28"),
    // Behind a boot sector.
    (Cramfs, Start(0x200), b"\x45\x3d\xcd\x28"),
    (Romfs, Start(0), b"-rom1fs-"),
    (Minix, Start(0x410), b"\x7f\x13"),
    (Minix, Start(0x410), b"\x8f\x13"),
    (Lvm, Start(0x218), b"LVM2 001"),
    (Swap, Start(4086), b"SWAPSPACE2"),
    // fs_magic at the end of a super block, which is at 64 KiB or at 8 KiB.
    (Ufs, Start(0x10000 + 1372), b"\x19\x01\x54\x19"),
    (Ufs, Start(0x2000 + 1372), b"\x19\x01\x54\x19"),
    (Ufs, Start(0x2000 + 1372), b"\x54\x19\x01\0"),
    (Ntfs, Start(3), b"NTFS    "),
    (ExFat, Start(3), b"EXFAT   "),
    (Fat32, Start(82), b"FAT32   "),
    (Fat, Start(54), b"FAT1"),
    (ElTorito, Start(17 * 2048), b"\0CD001\x01EL TORITO SPECIFICATION"),
    (Iso9660, Start(16 * 2048 + 1), b"CD001"),
    (Udf, Start(16 * 2048 + 1), b"BEA01"),
    (Hfs, Start(1024), b"BD"),
    (Hfs, Start(1024), b"H+\0\x04"),
    (Hfs, Start(1024), b"HX\0\x05"),
    (Raid, Start(0x1000), b"\xfc\x4e\x2b\xa9"),
    (Dmg, End(512), b"koly"),
    (FixedVhd, End(512), b"conectix"),
    (Nero, End(12), b"NER5"),
    (Nero, End(8), b"NERO"),
];

impl Form {
    /// Every form that bytes of this size have, the one that says most first. Nothing beyond `bytes` is read.
    pub fn all(bytes: &dyn ReadAt) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for &(form, place, magic) in MAGIC {
            if has(bytes, place, magic)? && !found.contains(&form) {
                found.push(form);
            }
        }
        if Lzma.is_of(bytes)? {
            found.push(Lzma);
        }
        Ok(found)
    }

    /// Whether the bytes have this form.
    pub fn is_of(self, bytes: &dyn ReadAt) -> io::Result<bool> {
        for &(_, place, magic) in MAGIC.iter().filter(|(form, ..)| *form == self) {
            if has(bytes, place, magic)? {
                return Ok(true);
            }
        }
        match self {
            Lzma => bytes.read_vec_at(0, bytes.size().min(13)).map(|start| is_lzma(&start)),
            _ => Ok(false),
        }
    }

    /// The forms of which `head`, the first bytes of a file, shows the magic number. The one that says most comes first.
    pub fn of_head(head: &[u8]) -> impl Iterator<Item = Self> {
        let known = MAGIC.iter().filter(move |(_, place, magic)| match place {
            Start(at) => begins(head, *at, magic),
            End(_) => false,
        });
        let lzma = is_lzma(head).then_some(Lzma);
        known.map(|&(form, ..)| form).chain(lzma)
    }

    /// The same of `end`, the last bytes of a file.
    pub fn of_end(end: &[u8]) -> impl Iterator<Item = Self> {
        let length = end.len() as u64;
        let known = MAGIC.iter().filter(move |(_, place, magic)| match place {
            Start(_) => false,
            End(before) => length.checked_sub(*before).is_some_and(|at| begins(end, at, magic)),
        });
        known.map(|&(form, ..)| form)
    }

    /// Whether `head`, the first bytes of a file, shows its magic number.
    pub fn is_shown_by(self, head: &[u8]) -> bool {
        Self::of_head(head).any(|form| form == self)
    }
}

fn begins(bytes: &[u8], at: u64, magic: &[u8]) -> bool {
    let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
    rest.is_some_and(|rest| rest.starts_with(magic))
}

fn has(bytes: &dyn ReadAt, place: Place, magic: &[u8]) -> io::Result<bool> {
    let length = magic.len() as u64;
    let at = match place {
        Start(at) => Some(at),
        End(before) => bytes.size().checked_sub(before),
    };
    match at {
        Some(at) if at + length <= bytes.size() => Ok(bytes.read_vec_at(at, length)? == magic),
        _ => Ok(false),
    }
}

/// The usual properties, a power of two or one and a half for the dictionary, and a length that is unknown or below 256 GiB.
fn is_lzma(start: &[u8]) -> bool {
    let Some((&[0x5D, a, b, c, d], rest)) = start.split_first_chunk() else {
        return false;
    };
    let dictionary = u32::from_le_bytes([a, b, c, d]);
    let is_power = |number: u32| number.is_power_of_two();
    let length = rest.first_chunk().map(|&bytes| u64::from_le_bytes(bytes));
    let fits = length.is_some_and(|length| length == u64::MAX || length < 1 << 38);
    fits && dictionary >= 4096 && (is_power(dictionary) || (dictionary.is_multiple_of(3) && is_power(dictionary / 3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_number_counts_at_its_place() {
        let mut bytes = vec![0; 0x11000];
        assert_eq!(Form::all(&bytes).unwrap(), []);
        bytes[0x8001..0x8006].copy_from_slice(b"CD001");
        bytes[82..90].copy_from_slice(b"FAT32   ");
        bytes[510..520].copy_from_slice(b"\x55\xaaEFI PART");
        assert_eq!(Form::all(&bytes).unwrap(), [Gpt(512), Fat32, Iso9660]);
        assert!(Form::of_head(&bytes).eq([Gpt(512), Fat32, Iso9660]));
        assert!(Form::of_head(&bytes[..100]).eq([Fat32]));
        assert!(Iso9660.is_of(&bytes).unwrap() && !Udf.is_of(&bytes).unwrap());
        assert!(!Iso9660.is_of(&bytes[..0x8005].to_vec()).unwrap());
        let end = bytes.len() - 12;
        bytes[end..][..4].copy_from_slice(b"NER5");
        assert!(Form::all(&bytes).unwrap().contains(&Nero));
        assert!(Form::of_end(&bytes[end..]).eq([Nero]) && Form::of_end(&bytes[end..][..8]).next().is_none());
    }

    #[test]
    fn lzma_is_known_by_its_properties() {
        let start =
            |dictionary: u32, length: u64| [&[0x5D][..], &dictionary.to_le_bytes(), &length.to_le_bytes()].concat();
        for (start, wanted) in [
            (start(1 << 23, u64::MAX), true),
            (start(3 << 20, 5000), true),
            (start(1 << 11, 5000), false),
            (start(1 << 23, 1 << 38), false),
            (start((1 << 23) + 1, 5000), false),
        ] {
            assert_eq!(Form::of_head(&start).eq([Lzma]), wanted, "{start:?}");
            assert_eq!(Lzma.is_of(&start).unwrap(), wanted);
        }
    }
}
