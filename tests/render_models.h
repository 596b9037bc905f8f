/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles of check_render.c, for the tests of formats that are more than their bytes. */
#ifndef TESTS_RENDER_MODELS_H
#define TESTS_RENDER_MODELS_H

#include "report/render.h"

size_t nr_render_models(void);
/* What the renderer writes of the i-th; freed by the caller. Returns the model's name. */
const char *render_model(size_t i, const struct renderer *r, char **ret_text, size_t *ret_len);

#endif
