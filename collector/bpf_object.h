/* SPDX-License-Identifier: Apache-2.0 */
/* BPF objects, compiled at build time and carried inside the program. */
#ifndef COLLECTOR_BPF_OBJECT_H
#define COLLECTOR_BPF_OBJECT_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdint.h>

#include "base/err.h"

/* Embeds NAME.bpf.o: its bytes stand from bpf_object_NAME to bpf_object_NAME_end. */
#define BPF_OBJECT(name)                                                                           \
	__asm__(".pushsection .rodata\n"                                                           \
		".balign 8\n"                                                                      \
		"bpf_object_" #name ":\n"                                                          \
		".incbin \"" BPF_DIR "/" #name ".bpf.o\"\n"                                        \
		"bpf_object_" #name "_end:\n"                                                      \
		".popsection\n");                                                                  \
	extern const uint8_t bpf_object_##name[], bpf_object_##name##_end[]

/* Maps that an object takes over from another one instead of making its own; ends with a NULL name. */
struct bpf_shared_map {
	const char *name;
	int fd;
};

/* The kernel's, to be freed; NULL: it has none, which libbpf tells at -vv as all it has to say. */
struct btf *bpf_object_kernel_btf(void);
/* Opens an embedded object: its maps and constants can be set until bpf_object_load(). */
int bpf_object_open_embedded(const char *name, const uint8_t *begin, const uint8_t *end,
			     const struct bpf_shared_map *shared, struct bpf_object **ret_object,
			     struct err *e);
/*
 * Loads what was opened; on failure it is closed, too. -EPERM: CAP_BPF and CAP_PERFMON are missing, or the
 * kernel has no BPF, no BTF, or its verifier refuses the program: *e says which. On success the caller closes
 * the object.
 */
int bpf_object_load(const char *name, struct bpf_object *object, struct err *e);
/* Both. shared may be NULL. */
int bpf_object_load_embedded(const char *name, const uint8_t *begin, const uint8_t *end,
			     const struct bpf_shared_map *shared, struct bpf_object **ret_object,
			     struct err *e);

/* A program of one, by its name; error: -errno. -EMFILE: too few descriptors, with the remedy; else what it was. */
int bpf_object_cannot_attach(const char *program, int error, struct err *e);

#endif
