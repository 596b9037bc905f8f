/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/marker.h"

#include <errno.h>

static const struct marker_source *const sources[] = { &marker_probe };

int marker_prepare(struct marker *m, uint32_t id, const struct marker_target *target, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(sources); i++)
		if (sources[i]->takes(&m->spec)) {
			m->source = sources[i];
			return m->source->prepare(&m->spec, id, target, &m->self, e);
		}
	return err_set(e, -EOPNOTSUPP, "--marker %s: nothing here can place it", m->spec.text);
}

void marker_release(struct marker *m)
{
	if (m->source)
		m->source->release(m->self);
	marker_spec_release(&m->spec);
	*m = (struct marker){ 0 };
}
