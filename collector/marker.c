/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/marker.h"

#include <bpf/bpf.h>
#include <errno.h>

static const struct marker_source *const sources[] = { &marker_probe, &marker_socket };

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

int marker_check_repeat(const struct marker *markers, size_t nr, struct err *e)
{
	const struct marker *last = &markers[nr - 1], *m;

	for (m = markers; m < last; m++)
		if (m->source == last->source && m->source->repeats && m->source->repeats(last->self, m->self))
			return marker_spec_refuse(&last->spec, &m->spec, e);
	return 0;
}

void marker_release(struct marker *m)
{
	if (m->source)
		m->source->release(m->self);
	marker_spec_release(&m->spec);
	*m = (struct marker){ 0 };
}

int marker_give_rings(struct bpf_object *object, const struct sampler *sampler, struct err *e)
{
	int rings = bpf_object__find_map_fd_by_name(object, "rings");

	vec_each(&sampler->cpus, cpu) {
		uint32_t key = (uint32_t)cpu->cpu;

		if (bpf_map_update_elem(rings, &key, &cpu->mark_fd, BPF_ANY))
			return err_set(e, -errno, "cannot give the rings to the BPF program: %m");
	}
	return 0;
}

void marker_set_recording(struct bpf_object *object, bool is_recording)
{
	uint32_t zero = 0, value = is_recording;
	int fd = object ? bpf_object__find_map_fd_by_name(object, ".data.marks") : -1;

	if (fd >= 0)
		bpf_map_update_elem(fd, &zero, &value, BPF_ANY);
}
