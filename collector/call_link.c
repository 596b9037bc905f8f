/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/kernel_number.h"
#include "collector/privileges.h"
#include "collector/target.h"
#include "collector/unkilled.h"

/* What BPF_LINK_CREATE takes for BPF_TRACE_UPROBE_MULTI (include/uapi/linux/bpf.h, 6.6). */
struct multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid;
	uint32_t zero;
};

struct link_call {
	struct call_link *link;
	int program_fd;
	const char *path;
	const struct call_place *places;
	size_t nr;
	uint32_t task;
	int pmu_type;
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

static int attach_multi(void *self)
{
	struct link_call *c = self;
	struct arrays a = arrays_of(c->places, c->nr);
	struct multi_attr attr = {
		.prog_fd = (uint32_t)c->program_fd,
		.attach_type = CALL_LINK_MULTI_TYPE,
		.path = (uintptr_t)c->path,
		.offsets = (uintptr_t)a.offs,
		.ref_ctr_offsets = a.has_semaphores ? (uintptr_t)a.semaphore_offs : 0,
		.cookies = (uintptr_t)a.cookies,
		.cnt = (uint32_t)c->nr,
		.pid = c->task,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)), err = fd < 0 ? -errno : 0;

	if (!err)
		vec_push(&c->link->fds, fd);
	free(a.offs);
	free(a.semaphore_offs);
	free(a.cookies);
	return err;
}

bool call_link_is_of_thread(int said)
{
	return said == -ESRCH;
}

int call_link_ask(int multi_fd)
{
	const struct call_place nowhere = { 0 };
	struct call_link link = { 0 };
	struct link_call c = { .link = &link, .program_fd = multi_fd, .path = "/proc/self/exe", .places = &nowhere, .nr = 1,
			       .task = UINT32_MAX };
	int said = attach_multi(&c);

	call_link_release(&link);
	return said;
}

/* ---- one by one ---- */

/*
 * The event's process is where the kernel puts the breakpoint. The BPF program runs for each of its
 * threads, whichever the event's own is (kernel/trace/trace_uprobe.c: __uprobe_perf_func()).
 */
static int attach_single(struct link_call *c, const struct call_place *place)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = (uint32_t)c->pmu_type,
		.config = place->semaphore_off << 32,
		.uprobe_path = (uintptr_t)c->path,
		.probe_offset = place->off,
	};
	LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = place->cookie);
	int fd = (int)syscall(SYS_perf_event_open, &attr, c->task, -1, -1, PERF_FLAG_FD_CLOEXEC), link;

	if (fd < 0)
		return -errno;
	vec_push(&c->link->fds, fd);
	link = bpf_link_create(c->program_fd, fd, BPF_PERF_EVENT, &options);
	if (link < 0)
		return link;
	vec_push(&c->link->fds, link);
	return 0;
}

static int attach_each(void *self)
{
	struct link_call *c = self;
	size_t i;
	int err = 0;

	for (i = 0; i < c->nr && !err; i++)
		err = attach_single(c, &c->places[i]);
	return err;
}

static int attach_singles(struct link_call *c)
{
	c->pmu_type = (int)kernel_number(KERNEL_UPROBE_TYPE, -1);
	if (c->pmu_type < 0)
		return -EOPNOTSUPP;
	return unkilled_call(attach_each, c);
}

/* ---- either ---- */

/* The kernel's own, which is in no header of ours. */
enum { ENOTSUPP = 524 };

static int explain(int error, const char *path, size_t nr, struct err *e)
{
	char file[4096];
	ssize_t len = readlink(path, file, sizeof(file));

	if (error == -ENOTSUPP)
		return err_set(e, error, "the kernel takes no probe on the instruction there");
	/* Of what is open, its name. */
	err_set(e, error, "cannot count calls at %zu places of %.*s: %m", nr, (int)(len < 0 ? strlen(path) : (size_t)len),
		len < 0 ? path : file);
	if (error == -EPERM || error == -EACCES)
		return err_remedy(e, PRIVILEGES_REMEDY);
	if (error == -EMFILE)
		return err_remedy(e, "It takes two descriptors a place: count fewer functions, or raise RLIMIT_NOFILE.");
	return error;
}

static int attach(struct link_call *c, const struct call_programs *programs, uint32_t pid)
{
	int err = -EOPNOTSUPP;

	c->program_fd = programs->multi_fd;
	if (c->program_fd >= 0 && c->task == pid)
		err = unkilled_call(attach_multi, c);
	/* A kernel that does not know such links says one of these. */
	c->program_fd = programs->single_fd;
	if (err == -EINVAL || err == -EOPNOTSUPP)
		err = attach_singles(c);
	return err;
}

int call_link_attach(struct call_link *l, const struct call_programs *programs, const char *path,
		     const struct call_place *places, size_t nr, uint32_t pid, struct err *e)
{
	struct link_call c = { .link = l, .path = path, .places = places, .nr = nr };
	int err;

	for (;;) {
		c.task = process_live_task(pid);
		err = c.task ? attach(&c, programs, pid) : -ESRCH;
		/* It may have ended meanwhile. */
		if (process_live_task(pid) == c.task)
			break;
		call_link_release(l);
	}
	l->task = c.task;
	if (!err)
		return 0;
	call_link_release(l);
	return explain(err, path, nr, e);
}

/* A link before the event that it hangs on. */
static int close_all(void *self)
{
	struct call_link *l = self;
	size_t i;

	for (i = l->fds.nr; i; i--)
		close(l->fds.at[i - 1]);
	return 0;
}

void call_link_release(struct call_link *l)
{
	if (l->fds.nr)
		unkilled_call(close_all, l);
	vec_release(&l->fds);
	l->task = 0;
}

int call_link_find_patched(struct call_place *places, size_t nr, const struct patched_file *file, uint32_t pid)
{
	VEC(struct patched_range) ranges = { 0 };
	int nr_marked;
	size_t i;

	for (i = 0; i < nr; i++)
		vec_push(&ranges, (struct patched_range){ .off = places[i].code.off, .end = places[i].code.end });
	nr_marked = patched_find(pid, file, ranges.at, nr);
	for (i = 0; i < nr; i++)
		places[i].code.is = ranges.at[i].is;
	vec_release(&ranges);
	return nr_marked;
}

const char *call_link_path(int fd, char ret[CALL_LINK_PATH_SIZE])
{
	snprintf(ret, CALL_LINK_PATH_SIZE, "/proc/self/fd/%d", fd);
	return ret;
}

bool call_attachments_have(const struct call_attachments *a, uint32_t pid, size_t file)
{
	vec_each(&a->at, it)
		if (it->pid == pid && it->file == file)
			return true;
	return false;
}

bool call_attachments_hang_at(const struct call_attachments *a, uint32_t task)
{
	vec_each(&a->at, it)
		if (it->link.task == task)
			return true;
	return false;
}

void call_attachments_detach(struct call_attachments *a, uint32_t pid)
{
	size_t i = 0;

	while (i < a->at.nr) {
		if (a->at.at[i].pid != pid) {
			i++;
			continue;
		}
		call_link_release(&a->at.at[i].link);
		vec_remove(&a->at, i, 1);
	}
}

void call_attachments_release(struct call_attachments *a)
{
	vec_each(&a->at, it)
		call_link_release(&it->link);
	vec_release(&a->at);
}
