/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the tests that compare rules to the tables that readelf prints. */
#ifndef TESTS_CFI_REFEREE_H
#define TESTS_CFI_REFEREE_H

#include <check.h>

void cfi_referee_add(Suite *s);

#endif
