/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a program: what can be named in it is listed, then found by these names as `--marker` and `--calls`
 * find it, down to the instructions that probes would go to.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "collector/call_place.h"
#include "collector/locate.h"
#include "collector/python_places.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NR_NAMES = 32 };

/* How it is opened: no file is left behind when an input ends the fuzzer. */
static int write_file(const uint8_t *data, size_t size, char *path, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, len, "/proc/self/fd/%d", fd);
	return fd;
}

static void check_image(const struct image *m, const uint8_t *data, size_t size)
{
	size_t i;

	for (i = 0; i < m->symbols.nr; i++) {
		const struct image_symbol *s = &m->symbols.at[i];
		struct call_placement p;

		assert(s->off && s->name[0]);
		assert(!i || s[-1].off <= s->off);
		assert(strlen(s->name) < size || m->is_stripped);
		if (i >= NR_NAMES || s->off >= size)
			continue;
		call_place_find(data + s->off, s->size < size - s->off ? s->size : size - s->off, NULL, &p);
		assert(p.kind == CALL_PLACE_NONE || p.off < size - s->off);
	}
	vec_each(&m->usdt.sites, u)
		assert(u->off && u->provider[0] && u->name[0]);
}

static void check_sites(struct locate *l, struct probe_sites *s)
{
	size_t nr_returns = 0;

	vec_each(&s->sites, site) {
		unsigned int n;

		nr_returns += site->is_return;
		for (n = 1; n <= site->args.nr; n++) {
			struct probe_arg arg;
			struct err e;

			assert(probe_site_arg(site, n, &arg, &e) <= 0);
		}
	}
	assert(locate_exits(l, s) <= nr_returns);
	vec_each(&s->sites, site)
		assert(site->off && !(site->is_exit && site->is_return));
}

/* name: of a listing. Whatever is listed can be found, unless it stands for several. */
static void find(struct locate *l, const struct probe_listing *p, bool is_return)
{
	char *text = xstrdup(p->name), *colon = strchr(text, ':');
	struct probe_name name = { .text = text, .function = text, .is_return = is_return };
	struct probe_sites sites = { 0 };
	struct err e = { 0 };
	int rc;

	if (p->is_usdt) {
		*colon = '\0';
		name = (struct probe_name){ .text = text, .provider = text, .name = colon + 1 };
	}
	rc = locate_probe(l, &name, &sites, &e);
	assert(!rc || rc == -ENOENT || rc == -ENOTUNIQ || rc == -EOPNOTSUPP);
	assert(!rc == (sites.sites.nr != 0));
	check_sites(l, &sites);
	probe_sites_release(&sites);
	free(text);
}

static void find_python(const char *path)
{
	struct python_places places = { 0 };
	struct err e;

	assert(!python_places_find(path, "image", &places, &e) == (places.at.nr != 0));
	python_places_release(&places);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_listings listings = { 0 };
	struct probe_name nothing = { .text = "mian", .function = "mian" };
	struct probe_sites sites = { 0 };
	struct locate l = { 0 };
	const struct image *m;
	struct err e;
	char path[32];
	size_t i;
	int fd = write_file(data, size, path, sizeof(path));

	log_set_level(LOG_QUIET);
	vec_push(&l.files, (struct locate_file){ .open_path = path, .fd = -1, .module = "image", .is_main = true });
	locate_list(&l, true, &listings);
	m = locate_image(&l.files.at[0]);
	if (m) {
		check_image(m, data, size);
		for (i = 0; i < listings.at.nr && i < NR_NAMES; i++)
			find(&l, &listings.at.at[i], i & 1);
		locate_probe(&l, &nothing, &sites, &e);
	}
	locate_file_is_go(&l.files.at[0]);
	find_python(path);
	probe_sites_release(&sites);
	probe_listings_release(&listings);
	locate_release(&l);
	close(fd);
	return 0;
}
