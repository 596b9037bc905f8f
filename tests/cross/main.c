/* SPDX-License-Identifier: Apache-2.0 */
/* The unit tests of base/, recording/ and unwinder/, for processors that the rest does not run on yet. */
#include <check.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tests/harness.h"
#include "tests/suites.h"

#define DECLARE(name) Suite *check_##name##_suite(void);
SUITES_EVERYWHERE(DECLARE)
#define MAKE(name) check_##name##_suite,
static Suite *(*const suites[])(void) = { SUITES_EVERYWHERE(MAKE) };

int main(void)
{
	SRunner *runner = srunner_create(NULL);
	size_t i;
	int nr_failed;

	harness_init();
	for (i = 0; i < ARRAY_LEN(suites); i++)
		srunner_add_suite(runner, suites[i]());
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	nr_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	harness_release();
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
