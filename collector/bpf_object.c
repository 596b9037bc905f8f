/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/bpf_object.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/descriptors.h"
#include "collector/privileges.h"

/* libbpf talks a lot when a load fails; what it says is for -vv. */
static int print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return log_level() >= LOG_DEBUG ? vfprintf(stderr, fmt, ap) : 0;
}

/* What a kernel cannot do, it does not permit. */
static int explain(const char *name, int error, struct err *e)
{
	err_set(e, error, "cannot load the BPF program '%s': %m", name);
	if (error == -EMFILE || error == -ENFILE)
		return err_remedy(e, DESCRIPTORS_REMEDY);
	if (error == -EPERM || error == -EACCES) {
		err_set(e, error, "cannot load the BPF program '%s': %m (cap_bpf, cap_perfmon)", name);
		err_remedy(e, PRIVILEGES_REMEDY);
	} else if (error == -ENOSYS) {
		err_set(e, error, "the kernel has no BPF: %m");
		err_remedy(e, "It takes CONFIG_BPF_SYSCALL");
	} else if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		err_set(e, error, "the kernel has no BTF (/sys/kernel/btf/vmlinux)");
		err_remedy(e, "It takes CONFIG_DEBUG_INFO_BTF");
	} else {
		err_remedy(e, "Run it again with -vv to see what the kernel's verifier says");
	}
	return e->code = -EPERM;
}

struct btf *bpf_object_kernel_btf(void)
{
	libbpf_set_print(print_debug);
	return btf__load_vmlinux_btf();
}

int bpf_object_open_embedded(const char *name, const uint8_t *begin, const uint8_t *end,
			     const struct bpf_shared_map *shared, struct bpf_object **ret_object,
			     struct err *e)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
	struct bpf_object *object;
	int err = 0;

	libbpf_set_print(print_debug);
	object = bpf_object__open_mem(begin, (size_t)(end - begin), &options);
	if (!object)
		return explain(name, -errno, e);
	for (; shared && shared->name && !err; shared++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(object, shared->name), shared->fd);
	if (err) {
		bpf_object__close(object);
		return explain(name, err, e);
	}
	*ret_object = object;
	return 0;
}

int bpf_object_load(const char *name, struct bpf_object *object, struct err *e)
{
	int err = bpf_object__load(object);

	if (!err)
		return 0;
	bpf_object__close(object);
	return explain(name, err, e);
}

int bpf_object_load_embedded(const char *name, const uint8_t *begin, const uint8_t *end,
			     const struct bpf_shared_map *shared, struct bpf_object **ret_object,
			     struct err *e)
{
	struct bpf_object *object;
	int err = bpf_object_open_embedded(name, begin, end, shared, &object, e);

	if (!err)
		err = bpf_object_load(name, object, e);
	if (!err)
		*ret_object = object;
	return err;
}

int bpf_object_cannot_attach(const char *program, int error, struct err *e)
{
	err_set(e, error, "cannot attach the BPF program '%s': %m", program);
	return error == -EMFILE || error == -ENFILE ? err_remedy(e, DESCRIPTORS_REMEDY) : error;
}
