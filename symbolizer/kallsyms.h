/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/kallsyms, read by a thread of its own: the kernel takes longer to print it than a small report
 * takes for all the rest.
 *
 *	k = kallsyms_begin();
 *	...
 *	text = kallsyms_wait(k);
 *	kallsyms_free(k);
 */
#ifndef SYMBOLIZER_KALLSYMS_H
#define SYMBOLIZER_KALLSYMS_H

struct kallsyms;

/* Never NULL. Where there can be no thread, kallsyms_wait() reads. */
struct kallsyms *kallsyms_begin(void);
/*
 * The whole text, NUL-terminated, to be written to at will, and lent until kallsyms_free(). NULL, with errno
 * set: it cannot be read.
 */
char *kallsyms_wait(struct kallsyms *k);
/* NULL is a no-op. */
void kallsyms_free(struct kallsyms *k);

#endif
