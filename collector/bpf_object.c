/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/bpf_object.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/privileges.h"

/* libbpf talks a lot when a load fails; what it says is for -vv. */
static int print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return log_level() >= LOG_DEBUG ? vfprintf(stderr, fmt, ap) : 0;
}

static int explain(const char *name, int error, struct err *e)
{
	err_set(e, error == -EACCES ? -EPERM : error, "cannot load the BPF program '%s': %m", name);
	if (error == -EPERM || error == -EACCES)
		return err_remedy(e, PRIVILEGES_REMEDY);
	e->code = -EOPNOTSUPP;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return err_remedy(e, "The kernel has no BTF (/sys/kernel/btf/vmlinux): CONFIG_DEBUG_INFO_BTF.");
	return err_remedy(e, "Run it again with -vv to see what the kernel's verifier says.");
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
