/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/debug_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

#define DEFAULT_DIRS ":.debug:/usr/lib/debug"

bool debug_path_has_servers(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	return urls && urls[0];
}

/* The next element of a list, of *ret_len bytes; *list moves behind it. NULL: there is none. */
static const char *next_dir(const char **list, size_t *ret_len)
{
	const char *dir = *list;

	if (!dir)
		return NULL;
	*ret_len = strcspn(dir, ":");
	*list = dir[*ret_len] ? dir + *ret_len + 1 : NULL;
	/* Are checksums looked at? */
	if (*ret_len && strchr("+-", dir[0])) {
		dir++;
		--*ret_len;
	}
	return dir;
}

/* Takes path. */
static bool exists(char *path)
{
	bool found = !access(path, F_OK);

	free(path);
	return found;
}

bool debug_path_has_id(const char *dirs, const uint8_t *id, size_t len, const char *suffix)
{
	struct str name = { 0 };
	bool found = false;
	const char *dir;
	size_t dir_len, i;

	str_addf(&name, "%02x/", id[0]);
	for (i = 1; i < len; i++)
		str_addf(&name, "%02x", id[i]);
	str_add(&name, suffix);
	dirs = dirs ? dirs : DEFAULT_DIRS;
	while (!found && (dir = next_dir(&dirs, &dir_len)))
		found = dir[0] == '/' && exists(xasprintf("%.*s/.build-id/%s", (int)dir_len, dir, name.s));
	str_release(&name);
	return found;
}

struct wanted {
	const char *name;	/* of the debug file */
	const char *dir, *own;	/* of the program's file */
	size_t dir_len;
};

/* In root/dir, root/TAIL for each tail of dir, or root itself. */
static bool is_below(const char *root, size_t root_len, const struct wanted *w)
{
	const char *tail = w->dir, *end = w->dir + w->dir_len;

	while (tail < end) {
		int len = (int)(end - tail);

		if (exists(xasprintf("%.*s/%.*s/%s", (int)root_len, root, len, tail, w->name)) ||
		    exists(xasprintf("%.*s/%.*s/%s", (int)root_len, root, len, tail, w->own)))
			return true;
		tail = memchr(tail + 1, '/', (size_t)(end - tail - 1));
		if (!tail)
			break;
	}
	return exists(xasprintf("%.*s/%s", (int)root_len, root, w->name));
}

static bool is_in(const char *dirs, const struct wanted *w)
{
	bool found = false;
	const char *dir;
	size_t len;

	while (!found && (dir = next_dir(&dirs, &len))) {
		if (len && dir[0] == '/')
			found = is_below(dir, len, w);
		else if (len)
			found = exists(xasprintf("%.*s/%.*s/%s", (int)w->dir_len, w->dir, (int)len, dir, w->name)) ||
				exists(xasprintf("%.*s/%.*s/%s", (int)w->dir_len, w->dir, (int)len, dir, w->own));
		else
			found = exists(xasprintf("%.*s/%s", (int)w->dir_len, w->dir, w->name));
	}
	return found;
}

static bool has_name(const char *dirs, const char *file, const char *link)
{
	const char *slash = strrchr(file, '/');
	char *name = link ? xstrdup(link) : xasprintf("%s.debug", slash + 1);
	bool found = is_in(dirs, &(struct wanted){ name, file, slash + 1, (size_t)(slash - file) });

	free(name);
	return found;
}

bool debug_path_has_name(const char *dirs, const char *file, const char *link)
{
	bool found;
	char *real;

	if (!file || file[0] != '/')
		return false;
	if (link && strchr(link, '/'))
		return true;
	dirs = dirs ? dirs : DEFAULT_DIRS;
	real = realpath(file, NULL);
	found = has_name(dirs, file, link) || (real && has_name(dirs, real, link));
	free(real);
	return found;
}
