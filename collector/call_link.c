/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/privileges.h"

/* What BPF_LINK_CREATE takes for BPF_TRACE_UPROBE_MULTI (include/uapi/linux/bpf.h, 6.6). */
struct multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid;
	uint32_t zero;
};

/* The kernel takes arrays of each. */
struct arrays {
	uint64_t *offs, *semaphore_offs, *cookies;
	bool has_semaphores;
};

static struct arrays arrays_of(const struct call_place *places, size_t nr)
{
	struct arrays a = { .offs = xcalloc(nr, sizeof(uint64_t)),
			    .semaphore_offs = xcalloc(nr, sizeof(uint64_t)),
			    .cookies = xcalloc(nr, sizeof(uint64_t)) };
	size_t i;

	for (i = 0; i < nr; i++) {
		a.offs[i] = places[i].off;
		a.semaphore_offs[i] = places[i].semaphore_off;
		a.cookies[i] = places[i].cookie;
		a.has_semaphores |= places[i].semaphore_off != 0;
	}
	return a;
}

static int create_multi(int program_fd, const char *path, const struct call_place *places, size_t nr,
			uint32_t pid)
{
	struct arrays a = arrays_of(places, nr);
	struct multi_attr attr = {
		.prog_fd = (uint32_t)program_fd,
		.attach_type = CALL_LINK_MULTI_TYPE,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)a.offs,
		.ref_ctr_offsets = a.has_semaphores ? (uintptr_t)a.semaphore_offs : 0,
		.cookies = (uintptr_t)a.cookies,
		.cnt = (uint32_t)nr,
		.pid = pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		fd = -errno;
	free(a.offs);
	free(a.semaphore_offs);
	free(a.cookies);
	return fd;
}

/* ---- one by one ---- */

static int uprobe_pmu_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (f) {
		if (fscanf(f, "%d", &type) != 1)
			type = -1;
		fclose(f);
	}
	return type;
}

static void raise_nofile(size_t nr)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= nr)
		return;
	limit.rlim_cur = limit.rlim_max < nr ? limit.rlim_max : nr;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * The event's process is where the kernel puts the breakpoint. The BPF program runs for each of its
 * threads, whichever the event's own is (kernel/trace/trace_uprobe.c: __uprobe_perf_func()).
 */
static int attach_single(struct call_link *l, int type, int program_fd, const char *path,
			 const struct call_place *place, uint32_t pid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = (uint32_t)type,
		.config = place->semaphore_off << 32,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = place->off,
	};
	LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = place->cookie);
	int fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC), link;

	if (fd < 0)
		return -errno;
	vec_push(&l->fds, fd);
	link = bpf_link_create(program_fd, fd, BPF_PERF_EVENT, &options);
	if (link < 0)
		return link;
	vec_push(&l->fds, link);
	return 0;
}

static int attach_singles(struct call_link *l, int program_fd, const char *path,
			  const struct call_place *places, size_t nr, uint32_t pid)
{
	int type = uprobe_pmu_type(), err = type < 0 ? -EOPNOTSUPP : 0;
	size_t i, nr_open = 64;

	raise_nofile(nr_open + 2 * nr);
	for (i = 0; i < nr && !err; i++)
		err = attach_single(l, type, program_fd, path, &places[i], pid);
	return err;
}

/* ---- either ---- */

static int explain(int error, const char *path, size_t nr, struct err *e)
{
	err_set(e, error, "cannot count calls at %zu places of %s: %m", nr, path);
	if (error == -EPERM || error == -EACCES)
		return err_remedy(e, PRIVILEGES_REMEDY);
	if (error == -EMFILE)
		return err_remedy(e, "This kernel takes two descriptors a place: count fewer functions, or "
				     "raise RLIMIT_NOFILE.");
	return error;
}

int call_link_attach(struct call_link *l, const struct call_programs *programs, const char *path,
		     const struct call_place *places, size_t nr, uint32_t pid, struct err *e)
{
	int err = -EOPNOTSUPP;

	if (programs->multi_fd >= 0) {
		err = create_multi(programs->multi_fd, path, places, nr, pid);
		if (err >= 0) {
			vec_push(&l->fds, err);
			return 0;
		}
	}
	/* A kernel that does not know such links says one of these. */
	if (err == -EINVAL || err == -EOPNOTSUPP)
		err = attach_singles(l, programs->single_fd, path, places, nr, pid);
	if (!err)
		return 0;
	call_link_release(l);
	return explain(err, path, nr, e);
}

/* A link before the event that it hangs on. */
void call_link_release(struct call_link *l)
{
	size_t i;

	for (i = l->fds.nr; i; i--)
		close(l->fds.at[i - 1]);
	vec_release(&l->fds);
}
