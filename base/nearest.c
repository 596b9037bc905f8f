/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* str_distance() is quadratic; nobody mistypes one name of this length for another. */
#define LONGEST 200

/* 0 is the name itself; UINT_MAX is nothing like it. A typo is nearer than a longer name. */
static unsigned int rank(const char *want, const char *candidate)
{
	size_t a = strlen(want), b = strlen(candidate);
	size_t limit = a / 4 < 2 ? 2 : a / 4, diff = a > b ? a - b : b - a;
	unsigned int distance = UINT_MAX;

	if (!a || !b)
		return UINT_MAX;
	if (diff <= limit && a <= LONGEST && b <= LONGEST)
		distance = str_distance(want, candidate);
	if (distance <= limit && distance < a)
		return distance;
	if (strcasestr(candidate, want))
		return (unsigned int)(limit + diff);
	return UINT_MAX;
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned int r = rank(n->want, candidate), i, at;

	if (r == UINT_MAX)
		return;
	for (i = 0; i < n->nr; i++)
		if (!strcmp(n->best[i].text, candidate))
			return;
	for (at = 0; at < n->nr; at++)
		if (r < n->best[at].rank ||
		    (r == n->best[at].rank && strcmp(candidate, n->best[at].text) < 0))
			break;
	if (at == NEAREST_MAX)
		return;
	if (n->nr == NEAREST_MAX)
		free(n->best[--n->nr].text);
	memmove(n->best + at + 1, n->best + at, (n->nr - at) * sizeof(n->best[0]));
	n->best[at].text = xstrdup(candidate);
	n->best[at].rank = r;
	n->nr++;
}

void nearest_text(const struct nearest *n, struct str *out)
{
	unsigned int i;

	for (i = 0; i < n->nr; i++) {
		if (i)
			str_add(out, ", ");
		str_add_escaped(out, n->best[i].text, strlen(n->best[i].text));
	}
}

void nearest_release(struct nearest *n)
{
	unsigned int i;

	for (i = 0; i < n->nr; i++)
		free(n->best[i].text);
	n->nr = 0;
}
