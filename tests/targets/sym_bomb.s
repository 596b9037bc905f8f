# SPDX-License-Identifier: Apache-2.0
# What check_symbolizer.c survives: DWARF 4 whose entries take one byte each and have 60,000 attributes
# that take none, which costs every reader a walk over all of them at every step.
	.text
	.globl	_start
	.type	_start, @function
_start:
	nop
	ret
	.size	_start, .-_start
end_of_text:

	.section .debug_abbrev,"",@progbits
	.uleb128 1			# compile_unit, has children: low_pc, high_pc
	.uleb128 0x11
	.byte	1
	.uleb128 0x11, 0x01, 0x12, 0x07, 0, 0
	.uleb128 2			# subprogram, no children
	.uleb128 0x2e
	.byte	0
	.rept	60000
	.uleb128 0x3f, 0x19		# external, flag_present
	.endr
	.uleb128 0, 0
	.uleb128 0

	.section .debug_info,"",@progbits
	.long	end_of_info - after_length
after_length:
	.value	4
	.long	0
	.byte	8
	.uleb128 1
	.quad	_start
	.quad	end_of_text - _start
	.fill	1000000, 1, 2
	.byte	0
end_of_info:
