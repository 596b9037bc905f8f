/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/kernel_number.h"

#include <stdio.h>

long kernel_number(const char *path, long missing)
{
	FILE *f = fopen(path, "re");
	long value = missing;

	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = missing;
		fclose(f);
	}
	return value;
}
