/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is a marker or an error in one line, and a marker says the same when parsed again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/signature.h"
#include "collector/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_probe(const struct probe_name *p)
{
	struct probe_name again;
	struct signature sig = { 0 };
	struct wanted w;
	struct err e;

	assert(!probe_name_parse(p->text, &again, &e));
	assert(!p->function == !!p->provider);
	probe_name_release(&again);
	if (!p->function)
		return;
	wanted_init(&w, p->function);
	wanted_matches(&w, "_ZN2ns6Server6handleERKSsi", &sig);
	signature_release(&sig);
	signature_of(p->function, &sig);
	signature_release(&sig);
	wanted_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct err e = { 0 };
	struct marker_spec s;

	if (marker_spec_parse(text, &s, &e)) {
		assert(e.code < 0 && e.what[0]);
	} else {
		assert(!strcmp(s.text, text));
		assert(!s.begin.text == !s.end.text);
		if (s.begin.text) {
			check_probe(&s.begin);
			check_probe(&s.end);
		}
		marker_spec_release(&s);
	}
	free(text);
	return 0;
}
