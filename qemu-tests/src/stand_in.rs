//! Boot images in place of those that only somebody else may give away.

/// A BIOS boot image of so many 512-byte virtual sectors that says a text on the screen and on the first serial port. The text is in
/// the last sector, so that it is said only if the firmware has loaded all of them.
///
/// # Errors
/// There is no room for the text behind the program, or not in one sector.
pub fn bios(sectors: usize, text: &str) -> Result<Vec<u8>, String> {
    // call 1f; 1: pop si; push cs; pop ds; add si, TEXT - 1b; cld; mov dx, 0x3f8
    // 2: lodsb; test al, al; jz 3f; out dx, al; mov ah, 0x0e; int 0x10; jmp 2b; 3: hlt; jmp 3b
    const BEFORE: [u8; 8] = [0xe8, 0, 0, 0x5e, 0x0e, 0x1f, 0x81, 0xc6];
    const BEHIND: [u8; 19] = [
        0xfc, 0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x07, 0xee, 0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf4, 0xf4, 0xeb,
        0xfd,
    ];
    if text.len() >= 512 || sectors < 2 {
        return Err(format!("{} bytes of text in the last of {sectors} sectors", text.len()));
    }
    let start = (sectors - 1) * 512;
    let distance = u16::try_from(start - 3).map_err(|e| e.to_string())?;
    let mut image = [&BEFORE[..], &distance.to_le_bytes(), &BEHIND].concat();
    image.resize(start, 0);
    image.extend(text.as_bytes());
    image.resize(sectors * 512, 0);
    Ok(image)
}
