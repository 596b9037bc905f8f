/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting and summing of the list; list_write.c prints it. */
#include "report/list.h"

void list_release(struct request_list *l)
{
	vec_each(&l->endpoints, it)
		vec_release(&it->elapsed_ns);
	vec_release(&l->endpoints);
	vec_release(&l->requests);
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* ids are in the order of begin within an input only. */
static int by_begin(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;

	int order = compare_u64(x->begin_ns, y->begin_ns);

	(void)list;
	return order ? order : compare_u64(x->id, y->id);
}

static int by_elapsed(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;
	int order = compare_u64(request_elapsed_ns(y), request_elapsed_ns(x));

	return order ? order : by_begin(a, b, list);
}

static int by_cpu(const void *a, const void *b, void *list)
{
	const struct request_list *l = list;
	const struct request *x = a, *y = b;
	int order = l->has_cpu ? compare_u64(y->cpu_ns, x->cpu_ns) : compare_u64(y->weight, x->weight);

	return order ? order : by_begin(a, b, list);
}

static int compare_text(const struct request_list *l, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(strings_text(l->strings, a), strings_text(l->strings, b));
}

static int by_path(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;
	int order = compare_text(list, x->path, y->path);

	order = order ? order : compare_text(list, x->method, y->method);
	return order ? order : by_begin(a, b, list);
}

void list_sort(struct request_list *l, enum list_sort by)
{
	static int (*const orders[NR_LIST_SORTS])(const void *, const void *, void *) = {
		[LIST_BY_BEGIN] = by_begin,
		[LIST_BY_ELAPSED] = by_elapsed,
		[LIST_BY_CPU] = by_cpu,
		[LIST_BY_PATH] = by_path,
	};

	l->has_cpu = l->requests.nr > 0;
	vec_each(&l->requests, r)
		l->has_cpu &= r->has_cpu;
	if (l->requests.nr)
		qsort_r(l->requests.at, l->requests.nr, sizeof(*l->requests.at), orders[by], l);
}

/* ---- the summary ---- */

static struct endpoint_line *line_of(struct request_list *l, struct u64map *index,
				     const struct request *r)
{
	uint64_t key = (uint64_t)r->method << 32 | r->path;
	const uint32_t *known = u64map_get(index, key);

	if (known)
		return &l->endpoints.at[*known];
	u64map_set(index, key, (uint32_t)l->endpoints.nr);
	vec_push(&l->endpoints, (struct endpoint_line){ .method = r->method, .path = r->path });
	return vec_last(&l->endpoints);
}

static int by_value(const void *a, const void *b)
{
	return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

static uint64_t slowest_of(const struct endpoint_line *line)
{
	return line->elapsed_ns.nr ? *vec_last(&line->elapsed_ns) : 0;
}

static int lines_by_path(const void *a, const void *b, void *list)
{
	const struct endpoint_line *x = a, *y = b;
	int order = compare_text(list, x->path, y->path);

	return order ? order : compare_text(list, x->method, y->method);
}

static int lines_by_elapsed(const void *a, const void *b, void *list)
{
	int order = compare_u64(slowest_of(b), slowest_of(a));

	return order ? order : lines_by_path(a, b, list);
}

static int lines_by_cpu(const void *a, const void *b, void *list)
{
	const struct request_list *l = list;
	const struct endpoint_line *x = a, *y = b;
	int order = l->has_cpu ? compare_u64(y->cpu_ns, x->cpu_ns) : compare_u64(y->weight, x->weight);

	return order ? order : lines_by_path(a, b, list);
}

void list_summarize(struct request_list *l, enum list_sort by)
{
	/* Endpoints do not begin: they come in the order in which they were first asked for. */
	static int (*const orders[NR_LIST_SORTS])(const void *, const void *, void *) = {
		[LIST_BY_ELAPSED] = lines_by_elapsed,
		[LIST_BY_CPU] = lines_by_cpu,
		[LIST_BY_PATH] = lines_by_path,
	};
	struct u64map index = { 0 };

	list_sort(l, LIST_BY_BEGIN);
	vec_each(&l->requests, r) {
		struct endpoint_line *line = line_of(l, &index, r);

		line->nr_samples += r->nr_samples;
		line->weight += r->weight;
		line->cpu_ns += r->cpu_ns;
		line->nr_without_cpu += !r->has_cpu;
		if (r->is_unfinished)
			line->nr_unfinished++;
		else
			vec_push(&line->elapsed_ns, request_elapsed_ns(r));
	}
	vec_each(&l->endpoints, line)
		if (line->elapsed_ns.nr)
			qsort(line->elapsed_ns.at, line->elapsed_ns.nr, sizeof(uint64_t), by_value);
	if (orders[by] && l->endpoints.nr)
		qsort_r(l->endpoints.at, l->endpoints.nr, sizeof(*l->endpoints.at), orders[by], l);
	u64map_release(&index);
}
