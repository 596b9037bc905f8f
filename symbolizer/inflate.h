/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files as distributions ship them have compressed sections. libdw inflates all of them by zlib
 * before it answers anything; libdeflate takes a third of that time, and what is never asked for is left out
 * (location lists, macros).
 */
#ifndef SYMBOLIZER_INFLATE_H
#define SYMBOLIZER_INFLATE_H

/*
 * A file descriptor of a copy of the ELF file whose debug sections are not compressed any more, or -1: it
 * has none, or they are damaged, or it is no ELF file of 64 bits; the file is then to be used as it is.
 * fd is lent.
 */
int inflate_debug_file(int fd);

#endif
