/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_python.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/mapped_file.h"

BPF_OBJECT(python);

/* ---- files ---- */

/* python3.11, libpython3.11.so.1.0: what embeds an interpreter does so by the library. */
bool call_python_wants(const char *path)
{
	const char *slash = strrchr(path, '/');

	const char *name = slash ? slash + 1 : path;

	return !strncmp(name, "python", 6) || !strncmp(name, "libpython", 9);
}

static bool is_searched(const struct call_python *p, const struct locate_file *f)
{
	vec_each(&p->files, it)
		if (it->dev == f->dev && it->inode == f->inode)
			return true;
	return false;
}

static const char *seen_at(const struct call_place *place)
{
	if (PYTHON_COOKIE_IS_FREED(place->cookie))
		return "code freed";
	return PYTHON_COOKIE_IS_RETURN(place->cookie) ? "frames left" : "frames entered";
}

static void tell_places(const struct python_file *f)
{
	struct str places = { 0 };

	vec_each(&f->places.at, place)
		str_addf(&places, "%s %s at %#llx", places.len ? "," : "", seen_at(place), (unsigned long long)place->off);
	log_verbose("%s: probes on%s in the file", f->module, str_cstr(&places));
	str_release(&places);
}

/* Looks at files that were not looked at. The last reason why one cannot be counted; 0: none. */
static int search(struct call_python *p, struct err *e)
{
	int err = 0;

	vec_each(&p->locate.files, f) {
		struct python_file file = { .module = f->module, .dev = f->dev, .inode = f->inode };
		struct err why = { 0 };
		char path[CALL_LINK_PATH_SIZE];
		int found;

		if (!call_python_wants(f->module) || is_searched(p, f))
			continue;
		file.fd = open(f->open_path, O_RDONLY | O_CLOEXEC);
		found = python_places_find(call_link_path(file.fd, path), f->module, &file.places, &why);
		if (found && found != -ENOEXEC) {
			err = found;
			*e = why;
			file.why_refused = xstrdup(why.what);
		}
		p->nr_usable += !found;
		if (!found) {
			tell_places(&file);
		} else if (file.fd >= 0) {
			close(file.fd);
			file.fd = -1;
		}
		vec_push(&p->files, file);
	}
	return err;
}

/* Of the files from this one on. */
static void tell_refused(const struct call_python *p, size_t first)
{
	size_t i;

	for (i = first; i < p->files.nr; i++)
		if (p->files.at[i].why_refused)
			log_warn("%s: its calls are not counted", p->files.at[i].why_refused);
}

static int locate_target(struct call_python *p, const struct marker_target *target, struct err *e)
{
	int err = 0;
	size_t nr = 0;

	/* Where it is none, what it starts may be: that comes when it runs. */
	if (target->program) {
		locate_command(&p->locate, target->program, target->arguments, e);
		return 0;
	}
	vec_each(&target->pids->at, pid) {
		err = locate_process(&p->locate, (int)*pid, e);
		nr += !err;
	}
	return nr ? 0 : err;
}

int call_python_prepare(struct call_python **ret_python, const struct marker_target *target,
			struct err *e)
{
	struct call_python *p = xcalloc(1, sizeof(*p));
	int err = locate_target(p, target, e);

	if (!err)
		err = search(p, e);
	if (!err && !p->nr_usable && !target->program) {
		err_set(e, -ENOENT, "--calls python: the target runs no Python");
		err = err_remedy(
			e,
			"It looks for python* and libpython* among the files that the target maps");
	}
	if (p->nr_usable) {
		tell_refused(p, 0);
		err = 0;
	}
	if (err)
		call_python_free(p);
	else
		*ret_python = p;
	return err;
}

/* ---- the program ---- */

/* A kernel that does not know uprobe-multi links may refuse a program that is for them. */
static int set_multi(struct bpf_object *object, const struct call_core *core)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "python_hit_multi");

	if (call_core_programs(core).multi_fd < 0)
		return bpf_program__set_autoload(program, false);
	return bpf_program__set_expected_attach_type(program, CALL_LINK_MULTI_TYPE);
}

static int open_object(const struct call_core *core, struct bpf_object **ret_object, struct err *e)
{
	struct bpf_object *object;
	int err = bpf_object_open_embedded("python", bpf_object_python, bpf_object_python_end, NULL,
					   &object, e);

	if (err)
		return err;
	err = set_multi(object, core);
	if (err) {
		bpf_object__close(object);
		return err_set(e, err, "cannot set the BPF program 'python' up: %m");
	}
	err = call_core_join(core, object, e);
	if (!err)
		err = bpf_object_load("python", object, e);
	if (!err)
		*ret_object = object;
	return err;
}

static int program_fd(const struct call_python *p, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(p->object, name));
}

static int map_fd(const struct call_python *p, const char *name)
{
	return bpf_object__find_map_fd_by_name(p->object, name);
}

/* Of the map's one page. */
static struct python_config *map_config(const struct call_python *p)
{
	void *at = mmap(NULL, sizeof(*p->config), PROT_READ | PROT_WRITE, MAP_SHARED,
			map_fd(p, "python_config"), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int attach_ends(struct call_python *p, struct err *e)
{
	static const char *const names[] = { "python_exec", "python_exit" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		p->links[i] = bpf_program__attach(bpf_object__find_program_by_name(p->object, names[i]));
		if (!p->links[i])
			return bpf_object_cannot_attach(names[i], -errno, e);
	}
	return 0;
}

int call_python_load(struct call_python *p, struct call_core *core, struct err *e)
{
	int err = open_object(core, &p->object, e);

	if (err)
		return err;
	p->core = core;
	p->programs = (struct call_programs){ program_fd(p, "python_hit_multi"),
					      program_fd(p, "python_hit") };
	err = attach_ends(p, e);
	if (err)
		return err;
	p->config = map_config(p);
	if (!p->config)
		return err_set(e, -errno, "cannot map the memory of a BPF program: %m");
	p->config->first_function = CALL_CORE_OTHER_FUNCTIONS;
	python_cost_begin(p);
	log_verbose("a probe of Python's takes %.2f us", p->config->probe_ns / 1000.0);
	return 0;
}

/* ---- names ---- */

/*
 * What UTF-8 has not is bytes that are none, so that no two names become one: U+DC80 to U+DCFF stand for the bytes 0x80 to
 * 0xff of a path (PEP 383), other halves of pairs and U+0000 take the form that they would have. U+FFFD for what is none.
 */
static void add_utf8(struct str *s, uint32_t c)
{
	if (c > 0x10ffff)
		c = 0xfffd;
	if (!c) {
		str_add(s, "\xc0\x80");
	} else if (c < 0x80 || (c >= 0xdc80 && c < 0xdd00)) {
		str_add_char(s, (char)c);
	} else if (c < 0x800) {
		str_addf(s, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addf(s, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
			 (int)(0x80 | (c & 0x3f)));
	} else {
		str_addf(s, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
			 (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
	}
}

/* What was cut off ends in "...". */
static const char *add_text(struct str *s, const struct python_text *text,
			    const unsigned char *bytes, size_t room)
{
	size_t len = text->nr_bytes < room ? text->nr_bytes : room, i;
	uint32_t c;

	if (!text->kind)
		return "???";
	for (i = 0; i + text->kind <= len; i += text->kind) {
		c = 0;
		memcpy(&c, bytes + i, text->kind);
		add_utf8(s, c);
	}
	if (text->nr_bytes > room)
		str_add(s, "...");
	return str_cstr(s);
}

/* Nothing where there is no such function. */
static void describe(void *self, uint32_t id, struct writer *w)
{
	struct str file = { 0 }, name = { 0 };
	const struct call_python *p = self;
	struct python_function *f = xcalloc(1, sizeof(*f));

	if (!bpf_map_lookup_elem(map_fd(p, "python_functions"), &id, f)) {
		const struct note_function note = {
			.id = id,
			.flags = FUNCTION_IS_NAMED | FUNCTION_IS_TIMED |
				 (p->is_inexact ? FUNCTION_IS_INEXACT | FUNCTION_IS_AMISS : 0),
			.line = f->line,
			.file = add_text(&file, &f->file, f->file_bytes, sizeof(f->file_bytes)),
			.name = add_text(&name, &f->name, f->name_bytes, sizeof(f->name_bytes)),
		};

		writer_note_function(w, &note);
	}
	str_release(&file);
	str_release(&name);
	free(f);
}

/* ---- processes ---- */

/* What is seen at one of the places means nothing without the others. */
static int check_patched(const struct python_file *f, uint32_t pid, struct err *e)
{
	char path[CALL_LINK_PATH_SIZE];
	const struct patched_file file = { call_link_path(f->fd, path), f->dev, f->inode };
	int nr = call_link_find_patched(f->places.at.at, f->places.at.nr, &file, pid);
	size_t i = 0;

	if (nr < 0)
		return err_set(e, nr, "cannot look into the process's memory: %m");
	if (!nr)
		return 0;
	while (!f->places.at.at[i].code.is)
		i++;
	return err_set(e, -EOPNOTSUPP, "--calls python: no probe belongs on the code of the interpreter %s, which process %u %s",
		       f->module, pid, patched_text(f->places.at.at[i].code.is));
}

/* The probes of a file that the process does not map yet wait until it does. */
static int attach_process(struct call_python *p, uint32_t pid, struct err *e)
{
	size_t i;
	int err = 0;

	if (p->is_off)
		return 0;
	for (i = 0; i < p->files.nr && !err; i++) {
		struct call_attached a = { .pid = pid, .file = i };
		const struct python_file *f = &p->files.at[i];
		char path[CALL_LINK_PATH_SIZE];

		if (!f->places.at.nr || call_attachments_have(&p->attached, pid, i))
			continue;
		err = check_patched(f, pid, e);
		if (!err)
			err = call_link_attach(&a.link, &p->programs, call_link_path(f->fd, path), f->places.at.at, f->places.at.nr,
					       pid, e);
		if (!err)
			vec_push(&p->attached.at, a);
	}
	if (!err && !pids_has(&p->pids, pid))
		vec_push(&p->pids.at, pid);
	return err;
}

static bool is_refused(const struct call_python *p, const struct locate_file *mapped)
{
	vec_each(&p->files, f)
		if (f->why_refused && f->dev == mapped->dev && f->inode == mapped->inode)
			return true;
	return false;
}

static bool maps_refused(const struct call_python *p, uint32_t pid)
{
	struct locate mapped = { 0 };
	struct err e = { 0 };
	bool is_any = false;

	if (!locate_process(&mapped, (int)pid, &e))
		vec_each(&mapped.files, f)
			is_any |= is_refused(p, f);
	locate_release(&mapped);
	return is_any;
}

/* What runs a Python that cannot be counted is no part of what is exact. */
static void tell_uncounted(struct call_python *p, uint32_t pid)
{
	bool has_refused = false;

	vec_each(&p->files, f)
		has_refused |= f->why_refused != NULL;
	if (has_refused && maps_refused(p, pid))
		call_core_write_uncounted(p->core, pid);
}

int call_python_attach(struct call_python *p, const struct pids *pids,
		       const struct sampler *sampler, struct writer *w, struct err *e)
{
	size_t nr_attached = 0;
	int err = marker_give_rings(p->object, sampler, e);

	if (err)
		return err;
	p->writer = w;
	p->core->describe_other = describe;
	p->core->self = p;
	vec_each(&pids->at, pid) {
		err = attach_process(p, *pid, e);
		if (err && err != -ESRCH)
			return err;
		nr_attached += !err;
		tell_uncounted(p, *pid);
	}
	return nr_attached ? 0 : err;
}

void call_python_doubt(struct call_python *p)
{
	int fd = map_fd(p, "python_functions");
	uint32_t id, next;
	bool has_next;

	p->is_inexact = true;
	for (has_next = !bpf_map_get_next_key(fd, NULL, &next); has_next; has_next = !bpf_map_get_next_key(fd, &id, &next)) {
		id = next;
		describe(p, id, p->writer);
	}
}

/* Where it is gone already, what it called is in no row. What else goes wrong is said, once, and in all rows. */
static void attach_later(struct call_python *p, uint32_t pid)
{
	struct err e = { 0 };
	int err = attach_process(p, pid, &e);

	if (!err || err == -ESRCH)
		return;
	call_python_doubt(p);
	if (!p->has_told_failure)
		log_warn("process %u: %s: calls are missing", pid, e.what);
	p->has_told_failure = true;
}

void call_python_follow(struct call_python *p, uint32_t pid)
{
	bool is_new = !pids_has(&p->pids, pid);
	size_t nr_files = p->files.nr;
	struct err e = { 0 };

	if (!locate_process(&p->locate, (int)pid, &e) && search(p, &e))
		tell_refused(p, nr_files);
	attach_later(p, pid);
	if (is_new)
		call_core_write_partial(p->core, pid, pid);
	tell_uncounted(p, pid);
}

bool call_python_knows(const struct call_python *p, const struct writer_mmap *m)
{
	vec_each(&p->files, f)
		if (mapped_file_may_be(m, f->dev, f->inode) && !strcmp(f->module, m->path))
			return true;
	return !call_python_wants(m->path);
}

bool call_python_map(struct call_python *p, const struct writer_mmap *m)
{
	struct err e = { 0 };
	size_t nr_usable = p->nr_usable, nr_files = p->files.nr;
	struct stat st;
	int is_new;

	if (!call_python_wants(m->path))
		return true;
	is_new = locate_mapped(&p->locate, m->pid, m->path, mapped_file_find(m, &st));
	if (is_new <= 0)
		return !is_new;
	if (search(p, &e)) {
		tell_refused(p, nr_files);
		tell_uncounted(p, m->pid);
	}
	if (p->nr_usable == nr_usable)
		return true;
	attach_later(p, m->pid);
	call_core_write_partial(p->core, m->pid, m->pid);
	return true;
}

bool call_python_refuses(const struct call_python *p, const char *path)
{
	vec_each(&p->files, f)
		if (f->why_refused && !strcmp(f->module, path))
			return true;
	return false;
}

/* That it was in when it ended: another one may come to have its pid. */
static void forget_frames(const struct call_python *p, uint32_t pid)
{
	int fd = map_fd(p, "python_more");
	struct python_more_key key, next;
	bool has_next;

	for (has_next = !bpf_map_get_next_key(fd, NULL, &next); has_next;) {
		key = next;
		has_next = !bpf_map_get_next_key(fd, &key, &next);
		if (key.pid == pid)
			bpf_map_delete_elem(fd, &key);
	}
}

bool call_python_hangs_at(const struct call_python *p, uint32_t task)
{
	return call_attachments_hang_at(&p->attached, task);
}

void call_python_attach_again(struct call_python *p, uint32_t pid)
{
	call_python_doubt(p);
	call_attachments_detach(&p->attached, pid);
	attach_later(p, pid);
}

void call_python_forget(struct call_python *p, uint32_t pid)
{
	size_t i;

	forget_frames(p, pid);
	call_attachments_detach(&p->attached, pid);
	for (i = 0; i < p->pids.at.nr; i++)
		if (p->pids.at.at[i] == pid)
			vec_remove(&p->pids.at, i--, 1);
}

void call_python_mark_lost(struct call_python *p)
{
	if (call_python_hits(p).nr_lost || call_core_totals(p->core).nr_untold)
		call_python_doubt(p);
}

void call_python_take_off(struct call_python *p)
{
	/* One after the other: those that are still there would take calls for others'. */
	call_core_stop_time(p->core);
	call_attachments_release(&p->attached);
	python_cost_end(p);
	p->is_off = true;
	call_python_doubt(p);
}

struct python_hits call_python_hits(const struct call_python *p)
{
	int nr_cpus = libbpf_num_possible_cpus(), i;
	struct python_hits *each = xcalloc((size_t)(nr_cpus > 0 ? nr_cpus : 1), sizeof(*each)),
			   sum = { 0 };
	uint32_t zero = 0;

	if (!bpf_map_lookup_elem(map_fd(p, "python_hits"), &zero, each))
		for (i = 0; i < nr_cpus; i++) {
			sum.nr_entries += each[i].nr_entries;
			sum.nr_returns += each[i].nr_returns;
			sum.nr_lost += each[i].nr_lost;
		}
	free(each);
	sum.nr_entries -= p->own_hits.nr_entries;
	sum.nr_returns -= p->own_hits.nr_returns;
	return sum;
}

void call_python_free(struct call_python *p)
{
	size_t i;

	if (!p)
		return;
	python_cost_end(p);
	call_attachments_release(&p->attached);
	vec_each(&p->files, f) {
		python_places_release(&f->places);
		if (f->fd >= 0)
			close(f->fd);
		free(f->why_refused);
	}
	vec_release(&p->files);
	pids_release(&p->pids);
	call_share_release(&p->share);
	locate_release(&p->locate);
	if (p->config)
		munmap(p->config, sizeof(*p->config));
	for (i = 0; i < ARRAY_LEN(p->links); i++)
		bpf_link__destroy(p->links[i]);
	bpf_object__close(p->object);
	free(p);
}
