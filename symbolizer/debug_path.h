/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether libdwfl's search for a file can find one. Where it finds none on this machine it turns to debuginfod, and
 * loads its client with some thirty libraries only to hear that there is no server to ask: 10 to 40 ms.
 */
#ifndef SYMBOLIZER_DEBUG_PATH_H
#define SYMBOLIZER_DEBUG_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Servers are named (DEBUGINFOD_URLS): any file can be found. */
bool debug_path_has_servers(void);

/*
 * dirs: as libdwfl takes them, "DIR:DIR..."; NULL: its default. Relative ones are beside the program's file.
 *
 * By its build-id, and with that suffix. It has 2 bytes at least.
 */
bool debug_path_has_id(const char *dirs, const uint8_t *id, size_t len, const char *suffix);
/*
 * The debug info of a program's file by its name. link: as the file calls it, or NULL. True when in doubt; false of
 * what is no path, like the vdso.
 */
bool debug_path_has_name(const char *dirs, const char *file, const char *link);

#endif
