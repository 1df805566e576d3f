//! What compiled code must not do in firmware, checked on every build by disassembling it.
//!
//! Our own code is compiled without a red zone, but `core` comes compiled: with a red zone, and with SSE2. Firmware takes
//! interrupts on the same stack, so whatever lies below the stack pointer is lost at any moment; and nothing beyond SSE2 may be
//! used, because the entry switches no more on than that.

use super::sections::Sections;
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};

/// What every x86-64 processor has.
const BASELINE: [CpuidFeature; 14] = [
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::X64,
    CpuidFeature::CPUID,
    CpuidFeature::CMOV,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::MSR,
    CpuidFeature::TSC,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::CET_IBT,
];

/// Checks the 64-bit code of a program.
pub(crate) fn check(elf: &Sections) -> Result<(), String> {
    // A program without is real-mode assembly alone.
    let Some(text) = elf.named(".text") else {
        return Ok(());
    };
    // One that is entered elsewhere is entered in real mode; its assembly switches SSE on with long mode.
    if (text.address..text.end()).contains(&elf.entry) {
        let start = (elf.entry - text.address) as usize;
        switches_sse_on(text.bytes.get(start..).unwrap_or_default(), elf.entry)?;
    }
    code(&text.bytes, text.address)
}

/// Whether control register 4 is written before the first jump or call, and no SSE register used.
fn switches_sse_on(bytes: &[u8], address: u64) -> Result<(), String> {
    let decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let mut on = false;
    for instruction in decoder
        .into_iter()
        .take_while(|instruction| instruction.flow_control() == FlowControl::Next)
    {
        if (0..instruction.op_count()).any(|operand| instruction.op_register(operand).is_xmm()) {
            return Err(format!(
                "SSE is used at {:#x}, before it is switched on",
                instruction.ip()
            ));
        }
        on |= instruction.op0_register() == Register::CR4;
    }
    match on {
        true => Ok(()),
        false => Err("the entry does not switch SSE on".to_owned()),
    }
}

fn code(bytes: &[u8], address: u64) -> Result<(), String> {
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let at = instruction.ip();
        if instruction.is_invalid() {
            return Err(format!("no instruction at {at:#x}"));
        }
        if below_stack_pointer(&instruction) {
            return Err(format!("the red zone is used at {at:#x}"));
        }
        if let Some(feature) = instruction
            .cpuid_features()
            .iter()
            .find(|feature| !BASELINE.contains(feature))
        {
            return Err(format!("{feature:?} is needed at {at:#x}"));
        }
    }
    Ok(())
}

/// Whether an instruction reaches memory below the stack pointer. Pushes and calls do so by moving it.
fn below_stack_pointer(instruction: &Instruction) -> bool {
    let memory = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    memory && instruction.memory_base() == Register::RSP && (instruction.memory_displacement64() as i64) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_red_zone_and_what_is_beyond_sse2_are_found() {
        let cases: [(&[u8], Option<&str>); 5] = [
            (&[0x48, 0x89, 0x44, 0x24, 0x08], None),                 // mov [rsp+8], rax
            (&[0x48, 0x89, 0x44, 0x24, 0xf8], Some("the red zone")), // mov [rsp-8], rax
            (&[0x0f, 0x29, 0x84, 0x24, 0x80, 0xff, 0xff, 0xff], Some("the red zone")), // movaps [rsp-128], xmm0
            (&[0xc5, 0xf8, 0x77], Some("AVX")),                      // vzeroupper
            (&[0x66, 0x0f, 0xef, 0xc0], None),                       // pxor xmm0, xmm0
        ];
        for (bytes, wrong) in cases {
            let result = code(bytes, 0x1000);
            match wrong {
                None => assert_eq!(result, Ok(())),
                Some(wrong) => assert!(result.as_ref().is_err_and(|e| e.contains(wrong)), "{result:?}"),
            }
        }
    }

    #[test]
    fn an_entry_that_forgets_sse_is_found() {
        // mov cr4, rax; jmp +0
        assert_eq!(switches_sse_on(&[0x0f, 0x22, 0xe0, 0xeb, 0x00], 0), Ok(()));
        // nop; jmp +0
        assert!(switches_sse_on(&[0x90, 0xeb, 0x00], 0).is_err());
        // pxor xmm0, xmm0; mov cr4, rax
        assert!(switches_sse_on(&[0x66, 0x0f, 0xef, 0xc0, 0x0f, 0x22, 0xe0], 0).is_err());
    }
}
