/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/follow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/alloc.h"
#include "collector/bpf_object.h"

BPF_OBJECT(follow);

struct follow {
	struct bpf_object *object;
	struct bpf_link *fork_link, *exit_link;
	int targets_fd, slots_fd, filter_fd;
	struct bpf_map *globals;
};

static struct bpf_link *attach(const struct follow *f, const char *program, const char *tracepoint)
{
	return bpf_program__attach_raw_tracepoint(bpf_object__find_program_by_name(f->object, program), tracepoint);
}

int follow_new(struct follow **ret_follow, struct err *e)
{
	struct follow *f = xcalloc(1, sizeof(*f));
	int err;

	err = bpf_object_load_embedded("follow", bpf_object_follow, bpf_object_follow_end, NULL,
				       &f->object, e);
	if (err)
		goto fail;
	f->targets_fd = bpf_object__find_map_fd_by_name(f->object, "targets");
	f->slots_fd = bpf_object__find_map_fd_by_name(f->object, "target_slots");
	f->filter_fd = bpf_program__fd(bpf_object__find_program_by_name(f->object, "sample_filter"));
	f->globals = bpf_object__find_map_by_name(f->object, ".bss");
	f->fork_link = attach(f, "follow_fork", "sched_process_fork");
	f->exit_link = f->fork_link ? attach(f, "follow_exit", "sched_process_exit") : NULL;
	if (!f->exit_link) {
		err = err_set(e, -errno, "cannot follow processes: raw tracepoint: %m");
		goto fail;
	}
	*ret_follow = f;
	return 0;
fail:
	follow_free(f);
	return err;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	bpf_link__destroy(f->fork_link);
	bpf_link__destroy(f->exit_link);
	bpf_object__close(f->object);
	free(f);
}

int follow_add(struct follow *f, uint32_t pid, bool is_command, struct err *e)
{
	uint8_t yes = 1, what = is_command ? FOLLOW_COMMAND : FOLLOW_TARGET;
	uint32_t slot = pid & (FOLLOW_NR_SLOTS - 1);

	if (!bpf_map_update_elem(f->slots_fd, &slot, &yes, BPF_ANY) &&
	    !bpf_map_update_elem(f->targets_fd, &pid, &what, BPF_ANY))
		return 0;
	return err_set(e, -errno, "cannot follow process %u: %m", pid);
}

bool follow_has(const struct follow *f, uint32_t pid)
{
	uint8_t value;

	return !bpf_map_lookup_elem(f->targets_fd, &pid, &value);
}

void follow_forget(struct follow *f, uint32_t pid)
{
	bpf_map_delete_elem(f->targets_fd, &pid);
}

size_t follow_list(const struct follow *f, uint32_t *ret_pids, size_t max)
{
	uint32_t *last = NULL, pid;
	size_t nr = 0;

	while (nr < max && !bpf_map_get_next_key(f->targets_fd, last, &pid)) {
		ret_pids[nr] = pid;
		last = &ret_pids[nr++];
	}
	return nr;
}

struct follow_seen follow_seen(const struct follow *f)
{
	struct follow_seen seen = { 0 };
	uint32_t zero = 0;

	if (!f->globals || bpf_map__value_size(f->globals) != sizeof(seen) ||
	    bpf_map_lookup_elem(bpf_map__fd(f->globals), &zero, &seen))
		return (struct follow_seen){ 0 };
	return seen;
}

int follow_filter(struct follow *f, int perf_fd)
{
	return ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, f->filter_fd) ? -errno : 0;
}

void follow_share(const struct follow *f, struct bpf_shared_map ret_maps[FOLLOW_NR_SHARED])
{
	ret_maps[0] = (struct bpf_shared_map){ "targets", f->targets_fd };
	ret_maps[1] = (struct bpf_shared_map){ "target_slots", f->slots_fd };
	ret_maps[2] = (struct bpf_shared_map){ NULL, -1 };
}
