# SPDX-License-Identifier: Apache-2.0
# What check_symbolizer.c looks up: functions whose DWARF names a file and no line, as Go 1.19's does.
	.file 1 "lineless.go"
	.file 2 "borrowed.go"
	.text
	.globl	_start
	.type	_start, @function
_start:
	.loc 1 42
	nop
	.loc 1 43
	ret
	.size	_start, .-_start

	.type	declared, @function
declared:
	.loc 1 52
	nop
	ret
	.size	declared, .-declared

	.type	borrower, @function
borrower:
	.loc 2 62			# begins with code of another file
	nop
	.loc 1 63
	ret
	.size	borrower, .-borrower
end_of_text:

	.section .debug_line,"",@progbits
lines:

	.section .debug_abbrev,"",@progbits
	.uleb128 1			# compile_unit, has children: low_pc, high_pc, stmt_list
	.uleb128 0x11
	.byte	1
	.uleb128 0x11, 0x01, 0x12, 0x07, 0x10, 0x17, 0, 0
	.uleb128 2			# subprogram: name, low_pc, high_pc, decl_file
	.uleb128 0x2e
	.byte	0
	.uleb128 0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0x3a, 0x0b, 0, 0
	.uleb128 3			# subprogram: and decl_line
	.uleb128 0x2e
	.byte	0
	.uleb128 0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0x3a, 0x0b, 0x3b, 0x0b, 0, 0
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
	.long	lines
	.uleb128 2
	.string	"_start"
	.quad	_start
	.quad	declared - _start
	.byte	1
	.uleb128 3
	.string	"declared"
	.quad	declared
	.quad	borrower - declared
	.byte	1, 51
	.uleb128 2
	.string	"borrower"
	.quad	borrower
	.quad	end_of_text - borrower
	.byte	1
	.byte	0
end_of_info:
