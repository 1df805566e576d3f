# The beginning of the BIOS boot image. AT&T syntax.
#
# Its first 2048 bytes are what an El Torito no-emulation boot loads to 0x7c00, and what the boot code in the MBR loads
# there too. They hold the boot information table at byte 8, which the image's builder fills in, and read the rest of
# the image behind themselves: by INT 13h with packets where the BIOS has them, else by cylinder, head and sector.
#
# Memory below 640 KiB: 0x0600 the MBR's boot code, 0x1000 the registers of calls to the BIOS, below 0x7000 the real-mode
# stack, 0x7c00 this image, 0x20000 the buffer for reads, 0x30000 what passes between the two modes, 0x40000 the kernel's
# real-mode part, 0x50000 the menu file, 0x60000 the 64-bit stack, 0x70000 the page tables. What is written often, the
# stack above all, shares no page with code: emulators watch such pages, and every write to them is slow.

.set STACK, 0x7000
.set PAGE_TABLES, 0x70000
.set LONG_STACK, 0x70000

.section .boot, "awx"
.code16
.globl _start
_start:
  jmp from_cd
.org 4
  jmp from_disk           # the MBR's boot code jumps here
.org 8
info_descriptor: .long 0  # the boot information table: blocks and lengths are of 2048 bytes and in bytes
info_block:      .long 0
info_length:     .long 0
info_checksum:   .long 0
                 .zero 40
.globl image_id
image_id: .fill 32, 1, 0x30   # the image's id in hexadecimal digits, filled in by the builder; zeros are none

from_cd:
  movb $2, sector_shift       # 2048 = 512 << 2
  jmp 1f
from_disk:
  movb $0, sector_shift
1: cli
  xorw %ax, %ax
  movw %ax, %ss
  movw $STACK, %sp
  movw %ax, %ds
  movw %ax, %es
  ljmpw $0, $1f
1: cld
  sti
  movb %dl, drive
  call geometry

  # The rest of the image, 2048 bytes at a time: no read crosses 64 KiB.
  movl info_length, %ecx
  addl $2047, %ecx
  shrl $11, %ecx
  decl %ecx
  movl info_block, %ebx
  movw $((0x7c00 + 2048) >> 4), %di
1: testl %ecx, %ecx
  jz stage2
  incl %ebx
  pushl %ecx
  call read_block
  popl %ecx
  addw $(2048 >> 4), %di
  decl %ecx
  jmp 1b

# Asks whether the drive takes packets; if not, for its geometry.
geometry:
  movb $0x41, %ah
  movw $0x55aa, %bx
  movb drive, %dl
  int $0x13
  jc 1f
  cmpw $0xaa55, %bx
  jne 1f
  testb $1, %cl
  jz 1f
  movb $1, packets
  # How large the drive says its sectors are: a stick may show 2048, a CD always does.
  movw $drive_parameters, %si
  movw $30, (%si)
  movb $0x48, %ah
  movb drive, %dl
  int $0x13
  jc 9f
  cmpw $2048, drive_parameters+24
  jne 9f
  movb $2, sector_shift
9: ret
1: cmpb $2, sector_shift      # a CD takes packets, whatever its BIOS says
  movb $1, packets
  je 9b
  movb $0, packets
  movb $0x08, %ah
  movb drive, %dl
  xorw %di, %di
  pushw %es
  int $0x13
  popw %es
  jc 2f
  andw $0x3f, %cx
  jz 2f
  movw %cx, sectors_per_track
  movzbw %dh, %ax
  incw %ax
  movw %ax, heads
2: ret

# Reads the 2048 bytes of block %ebx to segment %di. %ebx and %di stay as they are.
read_block:
  movb $5, tries
1: cmpb $0, packets
  je read_sectors
  movl %ebx, %eax
  movw $4, %dx
  movb sector_shift, %cl
  shrw %cl, %dx
  subb $2, %cl
  negb %cl
  shll %cl, %eax
  movw %dx, packet+2
  movw %di, packet+6
  movl %eax, packet+8
  movw $packet, %si
  movb $0x42, %ah
  movb drive, %dl
  int $0x13
  jc read_again
  ret
read_again:
  xorb %ah, %ah
  movb drive, %dl
  int $0x13
  decb tries
  jnz 1b
  movw $cannot_read, %si
stop:
  call say
1: hlt
  jmp 1b

# The same by cylinder, head and sector, one sector at a time.
read_sectors:
  pushl %ebx
  pushw %di
  shll $2, %ebx
  movw $4, %bp
1: movl %ebx, %eax
  xorl %edx, %edx
  movzwl sectors_per_track, %ecx
  divl %ecx
  incb %dl
  movb %dl, %cl               # the sector, counted from 1
  xorl %edx, %edx
  pushw %cx
  movzwl heads, %ecx
  divl %ecx
  popw %cx
  movb %dl, %dh               # the head
  movb %al, %ch               # the cylinder's low eight bits; the high two go above the sector
  shlb $6, %ah
  orb %ah, %cl
  movb drive, %dl
  movw $0x0201, %ax
  pushl %ebx
  pushw %es
  movw %di, %es
  xorw %bx, %bx
  int $0x13
  popw %es
  popl %ebx
  jc 2f
  incl %ebx
  addw $(512 >> 4), %di
  decw %bp
  jnz 1b
  popw %di
  popl %ebx
  ret
2: popw %di
  popl %ebx
  jmp read_again

# Writes the text at %si.
say:
  lodsb
  testb %al, %al
  jz 1f
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  jmp say
1: ret

cannot_read: .asciz "isobuild: the boot medium cannot be read\r\n"
.balign 4
packet: .byte 16, 0
  .word 0                     # sectors
  .word 0, 0                  # offset and segment
  .quad 0                     # first sector
.globl drive
drive: .byte 0
.globl sector_shift
sector_shift: .byte 0         # the drive's sectors have 512 << this many bytes
.globl packets
packets: .byte 0
tries: .byte 0
.balign 2
.globl heads
heads: .word 2
.globl sectors_per_track
sectors_per_track: .word 18
drive_parameters: .zero 30
.org 2048

# ---- From here on the whole image is in memory.
stage2:
  # 512 KiB of low memory: everything of ours lies below it.
  int $0x12
  cmpw $512, %ax
  movw $low_memory, %si
  jb stop
  # A processor without CPUID keeps the ID flag (bit 21) as it is.
  pushfl
  popl %eax
  movl %eax, %ecx
  xorl $0x200000, %eax
  pushl %eax
  popfl
  pushfl
  popl %eax
  xorl %ecx, %eax
  testl $0x200000, %eax
  jz no_long_mode
  movl $0x80000000, %eax
  cpuid
  cmpl $0x80000001, %eax
  jb no_long_mode
  movl $0x80000001, %eax
  cpuid
  btl $29, %edx
  jc open_a20
no_long_mode:
  movw $no_64_bits, %si
  jmp stop

open_a20:                     # by the BIOS, else by port 0x92, else by the keyboard controller
  call a20_is_open
  jnz long_mode_tables
  movw $0x2401, %ax
  int $0x15
  call a20_is_open
  jnz long_mode_tables
  inb $0x92, %al
  orb $2, %al
  andb $0xfe, %al
  outb %al, $0x92
  movw $0xffff, %cx
1: call a20_is_open
  jnz long_mode_tables
  loop 1b
  call keyboard_ready
  movb $0xd1, %al
  outb %al, $0x64
  call keyboard_ready
  movb $0xdf, %al
  outb %al, $0x60
  movw $0xffff, %cx
1: call a20_is_open
  jnz long_mode_tables
  loop 1b
  movw $no_a20, %si
  jmp stop

keyboard_ready:
  movw $0xffff, %cx
1: inb $0x64, %al
  testb $2, %al
  loopnz 1b
  ret

# The zero flag is clear when addresses above 1 MiB are their own.
a20_is_open:
  pushw %ds
  pushw %es
  xorw %ax, %ax
  movw %ax, %ds
  notw %ax
  movw %ax, %es
  movw 0x504, %ax
  pushw %ax
  movw %es:0x514, %ax
  notw %ax
  movw %ax, 0x504
  outb %al, $0x80             # a pause, for slow gates
  cmpw %ax, %es:0x514
  popw %ax
  movw %ax, 0x504
  popw %es
  popw %ds
  ret

long_mode_tables:             # 4 GiB, each address itself, in pages of 2 MiB
  movw $(PAGE_TABLES >> 4), %ax
  movw %ax, %es
  xorw %di, %di
  xorl %eax, %eax
  movw $(0x6000 / 4), %cx
  rep stosl
  movl $(PAGE_TABLES + 0x1003), %eax
  movl %eax, %es:0
  movw $0x1000, %di
  movl $(PAGE_TABLES + 0x2003), %eax
  movw $4, %cx
1: movl %eax, %es:(%di)
  addl $0x1000, %eax
  addw $8, %di
  loop 1b
  movw $0x2000, %di
  movl $0x83, %eax
  movw $2048, %cx
1: movl %eax, %es:(%di)
  addl $0x200000, %eax
  addw $8, %di
  loop 1b
  # The first switch "returns" into bios_main: six registers and its address wait on the 64-bit stack.
  movl $(LONG_STACK - 64), saved_stack
  movw $((LONG_STACK - 0x10000) >> 4), %ax
  movw %ax, %es
  movl $bios_main, %es:(0x10000 - 64 + 48)
  movl $0, %es:(0x10000 - 64 + 52)
  xorw %ax, %ax
  movw %ax, %es
  jmp to_long_mode

low_memory: .asciz "isobuild: this machine has less than 512 KiB of low memory\r\n"
no_64_bits: .asciz "isobuild: this processor has no 64-bit mode, which the boot loader needs\r\n"
no_a20: .asciz "isobuild: the memory above 1 MiB does not open (A20)\r\n"
