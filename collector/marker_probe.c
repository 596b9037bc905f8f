/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Markers on functions and USDT probes. Each site is one perf event of the uprobe PMU, without
 * tracefs, and probe.bpf.c is attached to it; the event itself records nothing. One event serves all
 * CPUs: a uprobe's BPF program runs wherever the instruction is hit, whatever the event's own CPU
 * (kernel/trace/trace_uprobe.c: __uprobe_perf_func()).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/bpf_object.h"
#include "collector/call_core.h"
#include "collector/descriptors.h"
#include "collector/kernel_number.h"
#include "collector/locate.h"
#include "collector/marker.h"
#include "collector/privileges.h"
#include "collector/probe.h"
#include "collector/unkilled.h"

BPF_OBJECT(probe);

struct probe_marker {
	const struct marker_spec *spec;
	uint32_t id;
	struct locate locate;
	struct probe_sites begins, ends;
	unsigned char id_bytes;		/* of an id that are the same at its begin and its end */
	struct probe_sites calls;	/* entries of the functions whose returns are ends */
	struct bpf_object *object;
	int program_fd, sites_fd, counts_fd;
	VEC(int) fds;	/* perf events and links */
};

static bool probe_takes(const struct marker_spec *spec)
{
	return spec->kind == MARKER_SPEC_FUNC || spec->kind == MARKER_SPEC_PAIR;
}

/* The link before the event that it hangs on. */
static int close_all(void *self)
{
	struct probe_marker *m = self;
	size_t i;

	for (i = m->fds.nr; i; i--)
		close(m->fds.at[i - 1]);
	return 0;
}

static void probe_release(void *self)
{
	struct probe_marker *m = self;

	if (!m)
		return;
	if (m->fds.nr)
		unkilled_call(close_all, m);
	vec_release(&m->fds);
	bpf_object__close(m->object);
	probe_sites_release(&m->begins);
	probe_sites_release(&m->ends);
	probe_sites_release(&m->calls);
	locate_release(&m->locate);
	free(m);
}

static int find_files(struct probe_marker *m, const struct marker_target *target, struct err *e)
{
	size_t nr_found = 0;
	int err = 0;

	if (target->program)
		return locate_command(&m->locate, target->program, target->arguments, e);
	vec_each(&target->pids->at, pid) {
		err = locate_process(&m->locate, (int)*pid, e);
		nr_found += !err;
	}
	/* A worker that ended meanwhile is no reason to give up on the others. */
	return nr_found ? 0 : err;
}

/* Every site must be able to read what the spec asks for. *bytes: lowered to those of the narrowest. */
static int check_args(const struct probe_sites *sites, unsigned int arg, unsigned char *bytes, struct err *e)
{
	struct probe_arg found;
	int err;

	if (!arg)
		return 0;
	vec_each(&sites->sites, site) {
		err = probe_site_arg(site, arg, &found, e);
		if (err)
			return err;
		if (found.size < *bytes)
			*bytes = found.size;
	}
	return 0;
}

/* One side may say int, the other unsigned or long: what they have in common is compared. */
static int check_ids(struct probe_marker *m, struct err *e)
{
	const struct marker_spec *spec = m->spec;
	int err;

	if (!spec->id_arg)
		return 0;
	if (spec->begin.function)
		locate_cut_argument(&m->locate, &m->begins, spec->id_arg);
	if (spec->end.function)
		locate_cut_argument(&m->locate, &m->ends, spec->id_arg);
	m->id_bytes = sizeof(uint64_t);
	err = check_args(&m->begins, spec->id_arg, &m->id_bytes, e);
	return err ? err : check_args(&m->ends, spec->id_arg, &m->id_bytes, e);
}

/*
 * Exits are probed, never returns. Where a return probe waits, the kernel's address stands in the place of the return address:
 * an exception that meets it ends the program, and so does a return on another stack. Nobody can say that of a process which
 * has yet to load what throws or switches, nor of those that are no target and map the same file: a marker's probes are in
 * them, too.
 */
static int place_ends(struct probe_marker *m, struct err *e)
{
	vec_each(&m->ends.sites, site) {
		if (!site->is_return || site->is_go)
			continue;
		vec_push(&m->calls.sites, *site);
		vec_last(&m->calls.sites)->is_return = false;
	}
	if (!locate_exits(&m->locate, &m->ends))
		return 0;
	err_set(e, -EOPNOTSUPP, "--marker %s: the function's own exits cannot be found, and a return probe could end programs that "
				"unwind or switch their stacks",
		m->spec->text);
	return err_remedy(e, "Name two functions or USDT probes: begin=PROBE,end=PROBE");
}

static int check_code(struct probe_marker *m, const struct probe_sites *sites, bool is_function, struct err *e)
{
	vec_each(&sites->sites, site) {
		/* What a USDT probe's note says is not trusted: its place may be in the midst of an instruction. */
		if (is_function ? !locate_is_changed(site, !site->is_exit) : locate_is_nop(&m->locate, site))
			continue;
		err_set(e, -EOPNOTSUPP, "--marker %s: a probe on %s in %s would change what the target does: %s", m->spec->text,
			site->name, site->module,
			is_function ? "the kernel does something else than the instruction there" :
				      "no nop stands there, or one of five bytes");
		return err_remedy(e, "Name another probe: a function that calls it, for one.");
	}
	return 0;
}

/* An end may be hit again, since by then there is nothing to end. */
static int check_begins(struct probe_marker *m, struct err *e)
{
	vec_each(&m->begins.sites, site) {
		const char *why = site->is_return ? NULL : locate_why_repeated(&m->locate, site);

		if (!why)
			continue;
		err_set(e, -EOPNOTSUPP, "--marker %s: when %s in %s is called cannot be told: %s", m->spec->text, site->name,
			site->module, why);
		return err_remedy(e, "Name another probe: a function that calls it, for one.");
	}
	return 0;
}

/* A probe is put wherever the file is mapped. All sites are of one file. */
static int check_in_memory(const struct probe_marker *m, const struct probe_site *sites, size_t nr, const struct pids *pids,
			   struct err *e)
{
	vec_each(&pids->at, pid) {
		enum patched how;
		const struct probe_site *site = locate_patched(sites, nr, *pid, &how);

		if (!site)
			continue;
		err_set(e, -EOPNOTSUPP, "--marker %s: no probe belongs on the code of %s, which process %u %s", m->spec->text,
			site->name, *pid, patched_text(how));
		if (how == PATCHED_TRANSLATED)
			return e->code;
		return err_remedy(e, "Name another probe: a function that calls it, or one in another file.");
	}
	return 0;
}

static int check_memory(const struct probe_marker *m, const struct probe_sites *s, const struct pids *pids, struct err *e)
{
	size_t first = 0, i;
	int err = 0;

	for (i = 1; i <= s->sites.nr && !err; i++) {
		if (i < s->sites.nr && s->sites.at[i].open_path == s->sites.at[first].open_path)
			continue;
		err = check_in_memory(m, &s->sites.at[first], i - first, pids, e);
		first = i;
	}
	return err;
}

/* One of the two: where it is, and where each call comes by once. */
static int find_probe(struct probe_marker *m, const struct probe_name *name, struct probe_sites *ret,
		      struct err *e)
{
	int err = locate_probe(&m->locate, name, ret, e);

	if (err)
		return err;
	if (name->function)
		locate_entries(&m->locate, ret);
	return check_code(m, ret, name->function, e);
}

static int find_sites(struct probe_marker *m, struct err *e)
{
	const struct marker_spec *spec = m->spec;
	size_t nr_places;
	int err;

	err = find_probe(m, &spec->begin, &m->begins, e);
	if (!err && spec->begin.function)
		err = check_begins(m, e);
	if (!err)
		err = find_probe(m, &spec->end, &m->ends, e);
	if (!err)
		err = place_ends(m, e);
	if (!err)
		err = check_code(m, &m->ends, spec->end.function, e);
	if (!err)
		err = check_args(&m->begins, spec->label_arg, &(unsigned char){ 0 }, e);
	if (!err)
		err = check_ids(m, e);
	nr_places = m->begins.sites.nr + m->ends.sites.nr + m->calls.sites.nr;
	if (!err && nr_places > PROBE_MAX_SITES)
		err = err_set(e, -E2BIG, "--marker %s: %zu places, more than %d", spec->text, nr_places, PROBE_MAX_SITES);
	return err;
}

static int probe_prepare(const struct marker_spec *spec, uint32_t id,
			 const struct marker_target *target, void **ret_self, struct err *e)
{
	struct probe_marker *m = xcalloc(1, sizeof(*m));
	int err;

	m->spec = spec;
	m->id = id;
	err = find_files(m, target, e);
	if (!err)
		err = find_sites(m, e);
	/* What does not run yet has changed nothing. */
	if (!err && !target->program)
		err = check_memory(m, &m->begins, target->pids, e);
	if (!err && !target->program)
		err = check_memory(m, &m->ends, target->pids, e);
	if (err)
		probe_release(m);
	else
		*ret_self = m;
	return err;
}

/* One function may have several names: what counts is where the probes are. */
static bool probe_repeats(const void *self, const void *earlier)
{
	const struct probe_marker *a = self, *b = earlier;

	return probe_sites_share(&a->begins, &b->begins) && probe_sites_share(&a->ends, &b->ends);
}

/* ---- attaching ---- */

/* The uprobe PMU's attr: kernel/events/core.c, "uprobe" format: config:32-63 counter. */
static int open_uprobe(int type, const struct probe_site *site)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = (uint32_t)type,
		.config = site->semaphore_off << 32,
		.uprobe_path = (uint64_t)(uintptr_t)site->open_path,
		.probe_offset = site->off,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* The kernel's own, which is in no header of ours. */
enum { ENOTSUPP = 524, PAGE_BYTES = 4096 };

/*
 * The kernel looks at the instruction where a process has it mapped, and refuses then. A program that is not yet begun would
 * run without the probe, and nobody were told: so we have it mapped.
 */
static int open_mapped(int type, const struct probe_site *site)
{
	int file = open(site->open_path, O_RDONLY | O_CLOEXEC), fd;
	void *page = MAP_FAILED;

	if (file >= 0)
		page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, file, (off_t)(site->off - site->off % PAGE_BYTES));
	fd = open_uprobe(type, site);
	if (page != MAP_FAILED)
		munmap(page, PAGE_BYTES);
	if (file >= 0)
		close(file);
	return fd;
}

static int refuse_site(const struct probe_site *site, int error, struct err *e)
{
	if (error == -ENOTSUPP) {
		err_set(e, -EOPNOTSUPP, "cannot probe %s in %s: the kernel takes no probe on the instruction there", site->name,
			site->module);
		return err_remedy(e, "Name another probe: a function that calls it, for one.");
	}
	err_set(e, error, "cannot probe %s in %s: %m", site->name, site->module);
	if (error == -EMFILE)
		return err_remedy(e, DESCRIPTORS_REMEDY);
	return error == -EPERM || error == -EACCES ? err_remedy(e, PRIVILEGES_REMEDY) : error;
}

static struct probe_program program_of(const struct probe_marker *m, const struct probe_site *site,
				       enum mark_kind kind)
{
	/* Before a return the address to return to is still on the stack: a mark has the place behind it. */
	struct probe_program p = { .marker = m->id,
				   .kind = (unsigned short)kind,
				   .sp_add = site->is_exit ? sizeof(uint64_t) : 0,
				   .condition = site->condition,
				   .is_go = site->is_go };
	struct err ignored;

	/* prepare() has checked that both can be read. */
	if (kind == MARK_CALLED)
		return p;
	if (m->spec->label_arg && kind == MARK_BEGIN)
		probe_site_arg(site, m->spec->label_arg, &p.label, &ignored);
	if (m->spec->id_arg) {
		probe_site_arg(site, m->spec->id_arg, &p.id, &ignored);
		p.id.size = m->id_bytes;
		p.id.is_signed = 0;
	}
	return p;
}

static int attach_site(struct probe_marker *m, int type, const struct probe_site *site,
		       enum mark_kind kind, uint32_t index, struct err *e)
{
	struct probe_program program = program_of(m, site, kind);
	LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = index);
	int fd, link;

	if (bpf_map_update_elem(m->sites_fd, &index, &program, BPF_ANY))
		return err_set(e, -errno, "cannot describe a probe to the kernel: %m");
	fd = open_mapped(type, site);
	if (fd < 0)
		return refuse_site(site, fd, e);
	vec_push(&m->fds, fd);
	link = bpf_link_create(m->program_fd, fd, BPF_PERF_EVENT, &options);
	if (link < 0)
		return err_set(e, link, "cannot attach to the probe on %s: %m", site->name);
	vec_push(&m->fds, link);
	if (kind == MARK_CALLED)
		return 0;
	log_verbose("marker %s: %s at %s+0x%llx%s", kind == MARK_BEGIN ? "begin" : "end", site->name,
		    site->module, (unsigned long long)site->off, site->is_exit ? " (exit)" : "");
	return 0;
}

/*
 * A ret that is probed is carried out in the kernel's own page: whoever unwinds the stack cannot go on from there. So
 * the entry tells where the call returns to. Not of Go's, whose stacks move.
 */
static int attach_calls(struct probe_marker *m, int type, uint32_t index, struct err *e)
{
	vec_each(&m->calls.sites, site) {
		int err = attach_site(m, type, site, MARK_CALLED, index++, e);

		if (err)
			return err;
	}
	return 0;
}

struct attach_call {
	struct probe_marker *marker;
	int pmu_type;
	bool is_unwound;
	struct err *e;
};

/* Ends first: a request whose begin was seen must not miss its end. */
static int attach_each(void *self)
{
	struct attach_call *c = self;
	struct probe_marker *m = c->marker;
	struct err *e = c->e;
	uint32_t index = (uint32_t)(m->ends.sites.nr + m->begins.sites.nr);
	int type = c->pmu_type, err = c->is_unwound ? attach_calls(m, type, index, e) : 0;

	if (err)
		return err;
	index = 0;
	vec_each(&m->ends.sites, site) {
		err = attach_site(m, type, site, MARK_END, index++, e);
		if (err)
			return err;
	}
	vec_each(&m->begins.sites, site) {
		err = attach_site(m, type, site, MARK_BEGIN, index++, e);
		if (err)
			return err;
	}
	return 0;
}

static int attach_sites(struct probe_marker *m, bool is_unwound, struct err *e)
{
	struct attach_call call = { m, (int)kernel_number(KERNEL_UPROBE_TYPE, -1), is_unwound, e };

	if (call.pmu_type >= 0)
		return unkilled_call(attach_each, &call);
	err_set(e, -EOPNOTSUPP, "the kernel has no uprobe PMU");
	return err_remedy(e, "It takes CONFIG_UPROBE_EVENTS, Linux 4.17 or later.");
}

static void write_note(const struct probe_marker *m, struct writer *w)
{
	struct note_marker note = { .id = m->id, .spec = m->spec->text, .name = m->spec->begin.text };

	if (m->spec->label_arg)
		note.flags |= MARKER_HAS_LABEL;
	if (m->spec->id_arg)
		note.flags |= MARKER_HAS_ID;
	if (m->spec->kind == MARKER_SPEC_FUNC)
		note.flags |= MARKER_IS_CALL;
	writer_note_marker(w, &note);
}

static int load(struct probe_marker *m, const struct marker_ways *ways, struct err *e)
{
	struct bpf_shared_map shared[FOLLOW_NR_SHARED];
	struct bpf_object *object;
	int err;

	follow_share(ways->follow, shared);
	err = bpf_object_open_embedded("probe", bpf_object_probe, bpf_object_probe_end, shared,
				       &object, e);
	if (err)
		return err;
	err = call_core_join(ways->calls, object, e);
	if (!err)
		err = bpf_object_load("probe", object, e);
	if (!err)
		m->object = object;
	return err;
}

static int probe_attach(void *self, const struct marker_ways *ways, struct err *e)
{
	struct probe_marker *m = self;
	int err = load(m, ways, e);

	if (err)
		return err;
	m->program_fd = bpf_program__fd(bpf_object__find_program_by_name(m->object, "probe_hit"));
	m->sites_fd = bpf_object__find_map_fd_by_name(m->object, "sites");
	m->counts_fd = bpf_object__find_map_fd_by_name(m->object, "counts");
	write_note(m, ways->writer);
	err = marker_give_rings(m->object, ways->sampler, e);
	return err ? err : attach_sites(m, ways->sampler->is_unwound, e);
}

static void probe_record(void *self, bool is_recording)
{
	struct probe_marker *m = self;

	marker_set_recording(m->object, is_recording);
}

/* ---- counts ---- */

static struct probe_counts counts_of(const struct probe_marker *m, uint32_t index)
{
	int nr_cpus = libbpf_num_possible_cpus(), i;
	struct probe_counts sum = { 0 }, *each;

	each = xcalloc((size_t)(nr_cpus > 0 ? nr_cpus : 1), sizeof(*each));
	if (!bpf_map_lookup_elem(m->counts_fd, &index, each))
		for (i = 0; i < nr_cpus; i++) {
			sum.nr_hits += each[i].nr_hits;
			sum.nr_unsent += each[i].nr_unsent;
		}
	free(each);
	return sum;
}

static void probe_counts(const void *self, struct marker_counts *ret)
{
	const struct probe_marker *m = self;
	uint32_t index, nr = (uint32_t)(m->ends.sites.nr + m->begins.sites.nr);

	*ret = (struct marker_counts){ 0 };
	for (index = 0; m->object && index < nr; index++) {
		struct probe_counts c = counts_of(m, index);

		*(index < m->ends.sites.nr ? &ret->nr_ends : &ret->nr_begins) += c.nr_hits;
		ret->nr_unsent += c.nr_unsent;
	}
}

const struct marker_source marker_probe = {
	.takes = probe_takes,
	.prepare = probe_prepare,
	.repeats = probe_repeats,
	.attach = probe_attach,
	.counts = probe_counts,
	.record = probe_record,
	.release = probe_release,
};
