//! The disk that is in a file of another form, such as QEMU's and VMware's.

use crate::formats::recognise::Form;
use crate::formats::{android_sparse, dmg, qcow2, vdi, vhd, vhdx, vmdk};
use crate::ground::disk::DiskError;
use crate::ground::read_at::{ReadAt, Shared};

/// The first bytes of a file show what it is. The volume descriptor of an image is at 32 KiB.
const HEAD: u64 = 40 << 10;
/// The trailers of VHD and DMG.
const END: u64 = 512;

/// Finds the disk in a file of another form. `None` means that the file itself is the disk, or has no disk in it.
///
/// # Errors
/// The file is damaged or encrypted, or the disk needs a second file.
pub fn disk_in(file: &Shared) -> Result<Option<Shared>, DiskError> {
    let Some(form) = form(file)? else {
        return Ok(None);
    };
    let open = match form {
        Form::Qcow2 => qcow2::open,
        Form::Vmdk | Form::VmdkDescriptor => vmdk::open,
        Form::Vhdx => vhdx::open,
        Form::Vhd | Form::FixedVhd => vhd::open,
        Form::Vdi => vdi::open,
        Form::AndroidSparse => android_sparse::open,
        Form::Dmg => dmg::open,
        Form::EncryptedDmg => return Err(DiskError::refused("it is a DMG that is encrypted")),
        _ => return Ok(None),
    };
    open(file.clone()).map(Some)
}

/// Whether the first bytes of a file show that it has a disk in it. A VHD of fixed size and a DMG show it at their end instead.
pub fn is_disk_file(head: &[u8]) -> bool {
    by_head(head).is_some()
}

/// The form of a file with a disk in it. If a file begins like one and also has a volume descriptor at 32 KiB, it is an image: its boot code
/// may begin with any bytes. A trailer at the end always counts, because a VHD of fixed size begins with the bytes of its disk.
fn form(file: &Shared) -> std::io::Result<Option<Form>> {
    let head = file.read_vec_at(0, file.size().min(HEAD))?;
    let at_end = file.size().saturating_sub(END);
    let end = file.read_vec_at(at_end, file.size() - at_end)?;
    let by_end = Form::of_end(&end).find(|form| matches!(form, Form::FixedVhd | Form::Dmg));
    Ok(by_head(&head).or(by_end))
}

fn by_head(head: &[u8]) -> Option<Form> {
    if Form::of_head(head).any(|form| matches!(form, Form::Iso9660 | Form::Udf)) {
        return None;
    }
    Form::of_head(head).find(|form| {
        matches!(
            form,
            Form::Qcow2
                | Form::Vmdk
                | Form::VmdkDescriptor
                | Form::Vhdx
                | Form::Vhd
                | Form::Vdi
                | Form::AndroidSparse
                | Form::EncryptedDmg
        )
    })
}

#[cfg(test)]
mod tests;
