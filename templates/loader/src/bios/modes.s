# The way between 64-bit mode, where the loader runs, and real mode, where the BIOS does. AT&T syntax.
#
# Every call goes all the way down and up again and loads everything anew, so that nothing a BIOS leaves behind
# (segment limits, descriptor tables, the A20 gate's neighbours) is ever relied upon.

.balign 8
gdt:
  .quad 0
  .quad 0x00CF9A000000FFFF    # 0x08: 32-bit code
  .quad 0x00CF92000000FFFF    # 0x10: 32-bit data
  .quad 0x00AF9A000000FFFF    # 0x18: 64-bit code
  .quad 0x00009A000000FFFF    # 0x20: 16-bit code
  .quad 0x000092000000FFFF    # 0x28: 16-bit data
gdt_pointer: .word 47
  .long gdt
.balign 4
real_mode_vectors: .word 0x3ff
  .long 0
# What a call takes and gives; `Registers` in real_mode.rs. It stands apart from the code: a processor that sees its code's
# page written has to look at the code anew.
.set r_eax, 0x1000
.set r_ebx, 0x1004
.set r_ecx, 0x1008
.set r_edx, 0x100c
.set r_esi, 0x1010
.set r_edi, 0x1014
.set r_ebp, 0x1018
.set r_ds, 0x101c
.set r_es, 0x101e
.set r_flags, 0x1020
.set r_call, 0x1022           # 0 to 255 an interrupt, 256 a pause until the next one, 257 and 258 a jump that never returns
.set saved_stack, 0x1040
.set handler, 0x1048          # where a call's interrupt leads

.code16
to_long_mode:
  cli
  lgdtl %cs:gdt_pointer
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $0x08, $1f
.code32
1: movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl %cr4, %eax
  orl $0x620, %eax            # PAE, OSFXSR, OSXMMEXCPT: compiled code uses SSE
  movl %eax, %cr4
  movl $PAGE_TABLES, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx      # EFER.LME
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000002, %eax       # PG, MP
  andl $0xfffffff3, %eax      # EM, TS off
  movl %eax, %cr0
  ljmpl $0x18, $1f
.code64
1: movq saved_stack, %rsp
  popq %rbx
  popq %rbp
  popq %r12
  popq %r13
  popq %r14
  popq %r15
  cld
  ret

# extern "C" fn real_mode(): does what `registers` say.
.globl real_mode
real_mode:
  pushq %r15
  pushq %r14
  pushq %r13
  pushq %r12
  pushq %rbp
  pushq %rbx
  movq %rsp, saved_stack
  pushq $0x08
  pushq $1f
  lretq
.code32
1: movl %cr0, %eax
  andl $0x7fffffff, %eax
  movl %eax, %cr0
  movl $0xc0000080, %ecx
  rdmsr
  andl $0xfffffeff, %eax
  wrmsr
  movl %cr4, %eax
  andl $0xffffffdf, %eax
  movl %eax, %cr4
  movw $0x28, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  ljmpl $0x20, $1f
.code16
1: movl %cr0, %eax
  andb $0xfe, %al
  movl %eax, %cr0
  ljmpw $0, $1f
1: xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  movw $STACK, %sp
  lidtl real_mode_vectors
  movw r_call, %ax
  cmpw $258, %ax
  je start_program
  cmpw $257, %ax
  je start_kernel
  cmpw $256, %ax
  je pause
  movw %ax, %bx
  shlw $2, %bx
  movl (%bx), %eax
  movl %eax, handler
  movl r_eax, %eax
  movl r_ebx, %ebx
  movl r_ecx, %ecx
  movl r_edx, %edx
  movl r_esi, %esi
  movl r_edi, %edi
  movl r_ebp, %ebp
  movw r_es, %es
  movw r_ds, %ds
  sti
  pushfw                      # a far call to the handler with the flags on the stack: what an interrupt does
  cli
  lcallw *%cs:handler
  cli
  cld
  movl %eax, %cs:r_eax
  pushfw
  popw %cs:r_flags
  movl %ebx, %cs:r_ebx
  movl %ecx, %cs:r_ecx
  movl %edx, %cs:r_edx
  movl %esi, %cs:r_esi
  movl %edi, %cs:r_edi
  movw %es, %cs:r_es
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $STACK, %sp
  jmp to_long_mode

pause:
  sti
  hlt
  jmp to_long_mode

# Linux: the real-mode part at segment r_es, entered 512 bytes in, with a stack below its command line.
start_kernel:
  movw r_es, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  movw $0xe000, %sp
  addw $0x20, %ax
  pushw %ax
  pushw $0
  lretw

# A boot sector or any program that expects to be at 0x7c00, where this one is: the last instructions run elsewhere.
# r_esi is the program's linear address, r_ecx its length in bytes, r_edx the drive.
start_program:
  movw $(program_end - program_start), %cx
  movw $program_start, %si
  movw $0x600, %di
  rep movsb
  movl r_esi, %eax
  shrl $4, %eax
  movl r_ecx, %ecx
  addl $15, %ecx
  shrl $4, %ecx
  movb r_edx, %dl
  ljmpw $0, $0x600
program_start:                # %ax: the program's segment, %ecx: its length in paragraphs
  movw $0x7c0, %bx
1: movw %ax, %ds
  movw %bx, %es
  pushw %cx
  xorw %si, %si
  xorw %di, %di
  movw $8, %cx
  rep movsw
  popw %cx
  incw %ax
  incw %bx
  loop 1b
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  sti
  ljmpw $0, $0x7c00
program_end:
.code64
