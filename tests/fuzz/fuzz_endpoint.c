/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a label: the endpoint stays bounded, and is UTF-8 where the label is. */
#include <assert.h>
#include <stdint.h>

#include "report/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_utf8(const char *s, size_t len)
{
	size_t n;

	for (; len; s += n, len -= n) {
		n = utf8_len(s, len);
		if (!n)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint_options o = { 0 };
	struct str got = { 0 };
	struct err e;

	vec_push(&o.patterns, "/user/{name}/posts");
	assert(!endpoint_options_check(&o, &e));
	endpoint_add(&got, &o, data, size);
	assert(got.len <= ENDPOINT_MAX);
	assert(!is_utf8((const char *)data, size) || is_utf8(str_cstr(&got), got.len));
	str_clear(&got);
	endpoint_add_sql(&got, &o, data, size);
	assert(got.len <= ENDPOINT_MAX);
	assert(!is_utf8((const char *)data, size) || is_utf8(str_cstr(&got), got.len));
	str_release(&got);
	endpoint_options_release(&o);
	return 0;
}
