# The boot code of the MBR. AT&T syntax.
#
# Loads the first 2048 bytes of the BIOS boot image to 0x7c00 and enters it at its fifth byte. Where the image stands is
# told by the four bytes at 432: its first sector of 512 bytes, filled in by the image's builder.

.set IMAGE, 0x7c00
.set FIRST_SECTOR, 0x600 + 432

.section .boot, "awx"
.code16
.globl _start
_start:
  cli
  xorw %ax, %ax
  movw %ax, %ss
  movw $0x7c00, %sp
  movw %ax, %ds
  movw %ax, %es
  cld
  movw $0x7c00, %si
  movw $0x600, %di
  movw $256, %cx
  rep movsw
  ljmpw $0, $1f
1: sti
  movb %dl, drive
  movl FIRST_SECTOR, %eax
  movl %eax, packet+8
  movb $5, tries

  movb $0x41, %ah             # INT 13h with packets?
  movw $0x55aa, %bx
  int $0x13
  jc by_geometry
  cmpw $0xaa55, %bx
  jne by_geometry
  testb $1, %cl
  jz by_geometry
1: movw $packet, %si
  movb $0x42, %ah
  movb drive, %dl
  int $0x13
  jnc loaded
  call again
  jmp 1b

by_geometry:                  # by cylinder, head and sector, one at a time
  movb $0x08, %ah
  movb drive, %dl
  xorw %di, %di
  int $0x13
  jc 1f
  andw $0x3f, %cx
  jz 1f
  movw %cx, sectors
  movzbw %dh, %ax
  incw %ax
  movw %ax, heads
1: xorw %ax, %ax
  movw %ax, %es               # INT 13h function 8 may have changed it
  movl FIRST_SECTOR, %esi
  movw $IMAGE, %bx
2: movl %esi, %eax
  xorl %edx, %edx
  movzwl sectors, %ecx
  divl %ecx
  incb %dl
  movb %dl, %cl
  pushw %cx
  xorl %edx, %edx
  movzwl heads, %ecx
  divl %ecx
  popw %cx
  movb %dl, %dh
  movb %al, %ch
  shlb $6, %ah
  orb %ah, %cl
  movb drive, %dl
  movw $0x0201, %ax
  int $0x13
  jnc 3f
  call again
  jmp 1b
3: incl %esi
  addw $512, %bx
  cmpw $(IMAGE + 2048), %bx
  jb 2b

loaded:                       # the image's own table says that it is one: its volume descriptor is in block 16
  cmpl $16, IMAGE+8
  movw $no_image, %si
  jne stop
  movb drive, %dl
  ljmpw $0, $(IMAGE + 4)

again:
  xorb %ah, %ah
  movb drive, %dl
  int $0x13
  movw $cannot_read, %si
  decb tries
  jz stop
  ret

stop:
  lodsb
  testb %al, %al
1: jz 1b
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  jmp stop

cannot_read: .asciz "isobuild: this disk cannot be read\r\n"
no_image: .asciz "isobuild: the boot image is not where it was written\r\n"
.balign 4
packet: .byte 16, 0
  .word 4
  .word IMAGE, 0
  .quad 0
sectors: .word 18
heads: .word 2
drive: .byte 0
tries: .byte 0
.org 432
