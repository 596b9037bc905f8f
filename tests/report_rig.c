/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/report_rig.h"

#include <check.h>

void report_rig_begin(struct report_rig *r)
{
	struct err e = { 0 };

	ck_assert_msg(!selection_new(&r->selection_options, &r->selection, &e), "%s", e.what);
	r->options.selection = r->selection;
	r->options.strings = &r->strings;
	r->options.endpoints = &r->endpoints;
	report_init(&r->report, &r->options);
}

void report_rig_feed(struct report_rig *r)
{
	struct reader *reader;
	struct err e = { 0 };
	const void *bytes;
	size_t len;

	bytes = builder_finish(&r->b, &len);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	ck_assert_msg(!report_reader(&r->report, reader, "test", &e), "%s", e.what);
	reader_free(reader);
}

void report_rig_finish(struct report_rig *r)
{
	r->p = report_finish(&r->report);
}

void report_rig_run(struct report_rig *r)
{
	report_rig_begin(r);
	report_rig_feed(r);
	report_rig_finish(r);
}

void report_rig_release(struct report_rig *r)
{
	report_release(&r->report);
	selection_free(r->selection);
	selection_options_release(&r->selection_options);
	endpoint_options_release(&r->endpoints);
	strings_release(&r->strings);
	builder_release(&r->b);
	str_release(&r->text);
}
