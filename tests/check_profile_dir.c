/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of --profile-dir. What is in a file is check_render_pstats.c's. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/profile_dir.h"
#include "report/profile_name.h"
#include "tests/fake_profile.h"
#include "tests/harness.h"

Suite *check_profile_dir_suite(void);

#define MS 1000000ULL

static void init(struct fake_profile *f)
{
	fake_profile_init(f);
	f->p.strings = &f->strings;
}

/* A request of 3.5 ms that began at 1700000000.25 s, with one function. */
static struct group *add_request(struct fake_profile *f, uint64_t id, const char *label)
{
	struct group *g = fake_group(f, BY_REQUEST, "/endpoint/{id}", "GET");

	fake_sums(g, fake_function(f, "app.py", 4, "fib", NULL), MS, MS);
	fake_requests(g, 1, 200);
	fake_elapsed(g, 3500000);
	g->raw_path = strings_id(&f->strings, label);
	g->request_id = id;
	g->begin_epoch_ns = 1700000000250000000;
	g->tid = 1;
	return g;
}

static void make_name(const struct group *g, const struct fake_profile *f, const char *template,
		      const char *suffix, size_t max, struct str *ret_name)
{
	struct profile_name n;
	struct pyformat *format;
	struct err e;

	ck_assert_int_eq(profile_name_new(template, &format, &e), 0);
	profile_name_init(&n, &f->p, g);
	if (!profile_name_make(&n, format, suffix, max, ret_name))
		str_clear(ret_name);
	profile_name_release(&n);
	pyformat_free(format);
}

/* The paths are what Werkzeug makes of PATH_INFO. */
static const struct {
	const char *label, *path;
} paths[] = {
	{ "/", "root" },
	{ "", "endpoint.{id}" },
	{ "//", "root" },
	{ "/?a=/b", "root" },
	{ "/user/17/posts", "user.17.posts" },
	{ "/user/17/posts/", "user.17.posts" },
	{ "//a//b//", "a..b" },
	{ "/a?b=c#d", "a" },
	{ "/a#d?e", "a" },
	{ "/caf%C3%A9", "caf\xc3\xa9" },
	{ "/caf\xc3\xa9", "caf\xc3\xa9" },
	{ "/%2fetc%2Fpasswd", "etc.passwd" },
	{ "/../../etc/passwd", "......etc.passwd" },
	{ "/%2e%2e/%2e", "...." },
	{ "/%", "%" },
	{ "/%4", "%4" },
	{ "/%zz%41", "%zzA" },
	{ "/a%00b%0a%ff\x1b[31m", "a\\x00b\\n\\xff\\x1b[31m" },
	{ "/a b*?c", "a b*" },
	{ "SELECT 'secret' / 2", "endpoint.{id}" },
	{ "*", "endpoint.{id}" },
};

START_TEST(path_is_what_werkzeug_makes_of_it)
{
	struct fake_profile f;
	struct str name = { 0 };

	init(&f);
	make_name(add_request(&f, 17, paths[_i].label), &f, "{path}", "", 255, &name);
	ck_assert_str_eq(str_cstr(&name), paths[_i].path);
	str_release(&name);
	fake_profile_release(&f);
}
END_TEST

static const struct {
	const char *template, *suffix, *want, *unknown;
} templates[] = {
	{ NULL, "", "GET.a.4ms.1700000000.prof", "-.a.-ms.-.prof" },
	{ NULL, ".17", "GET.a.4ms.1700000000.17.prof", "-.a.-ms.-.17.prof" },
	{ "{status}-{id:04d}", "", "200-0017", "--0017" },
	{ "{status}-{id:04d}", ".17-2", "200-0017.17-2", "--0017.17-2" },
	{ "{elapsed} {time:.4f}", "", "3.5 1700000000.2535", "- -" },
	{ ".prof", ".17", ".17.prof", ".17.prof" },
};

START_TEST(fields_are_the_request)
{
	struct fake_profile f;
	struct str name = { 0 };
	struct group *g;

	init(&f);
	g = add_request(&f, 17, "/a");
	make_name(g, &f, templates[_i].template, templates[_i].suffix, 255, &name);
	ck_assert_str_eq(str_cstr(&name), templates[_i].want);
	g->method = 0;
	durations_release(&g->elapsed);
	g->elapsed = (struct durations){ 0 };
	g->status.nr = 0;
	g->begin_epoch_ns = 0;
	make_name(g, &f, templates[_i].template, templates[_i].suffix, 255, &name);
	ck_assert_str_eq(str_cstr(&name), templates[_i].unknown);
	str_release(&name);
	fake_profile_release(&f);
}
END_TEST

START_TEST(long_paths_are_cut_between_characters)
{
	struct fake_profile f;
	struct str name = { 0 }, label = { 0 };
	struct group *g;
	size_t i;

	init(&f);
	str_add_char(&label, '/');
	for (i = 0; i < 300; i++)
		str_add(&label, "\xc3\xa9");
	g = add_request(&f, 17, str_cstr(&label));
	for (i = 40; i < 60; i++) {
		make_name(g, &f, NULL, ".17-3", i, &name);
		ck_assert_uint_ge(name.len, i - 1);
		ck_assert_uint_le(name.len, i);
		ck_assert(str_ends(name.s, "\xc3\xa9.4ms.1700000000.17-3.prof"));
	}
	make_name(g, &f, "{path}{path}{path}", "", 255, &name);
	ck_assert_uint_gt(name.len, 200);
	ck_assert_uint_le(name.len, 255);
	make_name(g, &f, "{path:>300}", "", 255, &name);
	ck_assert_uint_eq(name.len, 0);
	str_release(&name);
	str_release(&label);
	fake_profile_release(&f);
}
END_TEST

static struct profile_dir *open_dir(const char *name, const char *format)
{
	struct profile_dir_options o = { .dir = harness_path(name), .format = format };
	struct profile_dir *d;
	struct err e = { 0 };

	ck_assert_msg(!profile_dir_new(&o, &d, &e), "%s", e.what);
	return d;
}

static int is_shown(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

/* Names in the folder, sorted, a space between. */
static void list(const char *name, struct str *ret_list)
{
	struct dirent **entries;
	int nr = scandir(harness_path(name), &entries, is_shown, alphasort), i;

	ck_assert_int_ge(nr, 0);
	str_clear(ret_list);
	for (i = 0; i < nr; i++) {
		str_addf(ret_list, "%s%s", i ? " " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

/* The same again and again, in one run and in the next; what was there stays what it is. */
START_TEST(nothing_is_overwritten)
{
	struct str names = { 0 }, before = { 0 }, after = { 0 };
	struct profile_dir *d = open_dir("profiles", "{path}.prof");
	struct fake_profile f;
	struct err e;
	int i;

	init(&f);
	add_request(&f, 2, "/a");
	add_request(&f, 1, "/a");
	add_request(&f, 3, "/b");
	harness_file("profiles/b.prof", "mine", 4);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(profile_dir_write_all(d, &f.p, &e), 0);
	ck_assert_uint_eq(profile_dir_nr(d), 9);
	ck_assert_ptr_nonnull(strstr(profile_dir_remark(d), "calls that nobody counted are 0"));
	profile_dir_free(d);
	list("profiles", &names);
	ck_assert_str_eq(str_cstr(&names),
			 "a.1-2.prof a.1.prof a.2-2.prof a.2-3.prof a.2.prof a.prof "
			 "b.3-2.prof b.3-3.prof b.3.prof b.prof");
	harness_read(harness_path("profiles/b.prof"), &before);
	ck_assert_str_eq(str_cstr(&before), "mine");
	str_clear(&before);
	harness_read(harness_path("profiles/a.prof"), &before);
	harness_read(harness_path("profiles/b.3.prof"), &after);
	ck_assert_uint_gt(before.len, 30);
	ck_assert_uint_eq(before.len, after.len);
	ck_assert_mem_eq(before.s, after.s, before.len);
	str_release(&names);
	str_release(&before);
	str_release(&after);
	fake_profile_release(&f);
}
END_TEST

/* Whatever a client asks for, its file is in the folder. */
START_TEST(no_name_leads_out)
{
	static const char *const labels[] = { "/..", "/.", "/", "/../x", "/%2e%2e%2fx" };
	struct profile_dir *d = open_dir("profiles", "{path}");
	struct str names = { 0 };
	struct fake_profile f;
	struct err e;
	size_t i;

	init(&f);
	for (i = 0; i < ARRAY_LEN(labels); i++)
		add_request(&f, i + 1, labels[i]);
	ck_assert_int_eq(symlink("/nowhere/at/all", harness_path("profiles/root")), 0);
	ck_assert_int_eq(profile_dir_write_all(d, &f.p, &e), 0);
	profile_dir_free(d);
	list("profiles", &names);
	ck_assert_str_eq(str_cstr(&names), "...1 ...x ...x.5 ..2 root root.3");
	list("", &names);
	ck_assert_str_eq(str_cstr(&names), "profiles");
	str_release(&names);
	fake_profile_release(&f);
}
END_TEST

/* What belongs to no request has no file, nor has a table that is not one request's. */
START_TEST(only_requests_have_files)
{
	struct profile_dir *d = open_dir("profiles", NULL);
	struct str names = { 0 };
	struct fake_profile f;
	struct err e;

	init(&f);
	fake_group(&f, BY_REQUEST, "(outside)", "")->is_outside = true;
	fake_group(&f, BY_NONE, "(all)", "");
	ck_assert_int_eq(profile_dir_write_all(d, &f.p, &e), 0);
	ck_assert_uint_eq(profile_dir_nr(d), 0);
	ck_assert_ptr_null(profile_dir_remark(d));
	profile_dir_free(d);
	list("profiles", &names);
	ck_assert_str_eq(str_cstr(&names), "");
	str_release(&names);
	fake_profile_release(&f);
}
END_TEST

static const struct {
	const char *dir, *format, *what;
	int err;
} errors[] = {
	{ "there", "{pid}", "--filename-format: there is no {pid}", -EINVAL },
	{ "there", "{method}/{path}", "--filename-format {method}/{path}: a name has no slash",
	  -EINVAL },
	{ "no/such", NULL, "cannot make the folder ", -ENOENT },
	{ "file", NULL, "cannot open the folder ", -ENOTDIR },
};

START_TEST(folder_that_cannot_be_is_an_error)
{
	struct profile_dir_options o = { .dir = harness_path(errors[_i].dir),
					 .format = errors[_i].format };
	struct profile_dir *d;
	struct err e = { 0 };

	harness_file("file", "", 0);
	ck_assert_int_eq(profile_dir_new(&o, &d, &e), errors[_i].err);
	ck_assert_msg(str_starts(e.what, errors[_i].what), "%s", e.what);
}
END_TEST

START_TEST(names_too_long_are_an_error)
{
	struct profile_dir *d = open_dir("profiles", "{id:0300d}");
	struct fake_profile f;
	struct err e = { 0 };

	init(&f);
	add_request(&f, 1, "/a");
	ck_assert_int_eq(profile_dir_write_all(d, &f.p, &e), -ENAMETOOLONG);
	ck_assert_str_eq(e.what, "--filename-format: the name of a file is longer than 255 bytes");
	profile_dir_free(d);
	fake_profile_release(&f);
}
END_TEST

Suite *check_profile_dir_suite(void)
{
	Suite *s = suite_create("profile_dir");
	TCase *tc = tcase_create("profile_dir");

	tcase_add_loop_test(tc, path_is_what_werkzeug_makes_of_it, 0, ARRAY_LEN(paths));
	tcase_add_loop_test(tc, fields_are_the_request, 0, ARRAY_LEN(templates));
	tcase_add_test(tc, long_paths_are_cut_between_characters);
	tcase_add_test(tc, nothing_is_overwritten);
	tcase_add_test(tc, no_name_leads_out);
	tcase_add_test(tc, only_requests_have_files);
	tcase_add_loop_test(tc, folder_that_cannot_be_is_an_error, 0, ARRAY_LEN(errors));
	tcase_add_test(tc, names_too_long_are_an_error);
	suite_add_tcase(s, tc);
	return s;
}
