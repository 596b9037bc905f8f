/* SPDX-License-Identifier: Apache-2.0 */
#include "report/wall_clock.h"

void wall_clock_set(struct wall_clock *c, uint64_t ns, uint64_t epoch_ns)
{
	uint64_t newest = c->nr ? c->settings[(c->nr - 1) % WALL_CLOCK_KEPT].ns : 0;

	if (!ns || !epoch_ns || ns < newest)
		return;
	if (ns > newest)
		c->nr++;
	c->settings[(c->nr - 1) % WALL_CLOCK_KEPT].ns = ns;
	c->settings[(c->nr - 1) % WALL_CLOCK_KEPT].epoch_ns = epoch_ns;
}

uint64_t wall_clock_at(const struct wall_clock *c, uint64_t ns)
{
	uint64_t oldest = c->nr > WALL_CLOCK_KEPT ? c->nr - WALL_CLOCK_KEPT : 0, i = c->nr, epoch_ns;

	if (!c->nr)
		return 0;
	do
		i--;
	while (i > oldest && c->settings[i % WALL_CLOCK_KEPT].ns > ns);
	epoch_ns = c->settings[i % WALL_CLOCK_KEPT].epoch_ns + (ns - c->settings[i % WALL_CLOCK_KEPT].ns);
	return epoch_ns <= INT64_MAX ? epoch_ns : 0;
}
