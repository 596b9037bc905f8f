/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/pfm.h"

#include <dlfcn.h>
#include <errno.h>
#include <perfmon/pfmlib_perf_event.h>

#define LIBRARY "libpfm.so.4"

struct pfm {
	__typeof__(pfm_initialize) *initialize;
	__typeof__(pfm_get_os_event_encoding) *encode;
};

/* It stays loaded: what it knows of the CPU is asked for again. */
static int load(struct pfm *ret, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW);

	if (library) {
		ret->initialize = (__typeof__(ret->initialize))dlsym(library, "pfm_initialize");
		ret->encode = (__typeof__(ret->encode))dlsym(library, "pfm_get_os_event_encoding");
	}
	if (library && ret->initialize && ret->encode)
		return 0;
	err_set(e, -ELIBACC, "%s", dlerror());
	return err_remedy(e, "libpfm4 (Debian: apt-get install libpfm4) knows the CPU's events by name.");
}

int pfm_event(const char *name, struct perf_event_attr *attr, struct err *e)
{
	pfm_perf_encode_arg_t arg = { .attr = attr, .size = sizeof(arg) };
	struct pfm pfm = { 0 };
	int err = load(&pfm, e);

	if (err)
		return err;
	*attr = (struct perf_event_attr){ .size = sizeof(*attr) };
	if (pfm.initialize() == PFM_SUCCESS &&
	    pfm.encode(name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT_EXT, &arg) == PFM_SUCCESS)
		return 0;
	return -ENOENT;
}
