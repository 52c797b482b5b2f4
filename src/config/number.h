/* SPDX-License-Identifier: MIT */
/*
 * Numbers as JSON, YAML and TOML write them: -12.5e+3. Pure, and the same under every locale.
 */
#ifndef SB_CONFIG_NUMBER_H
#define SB_CONFIG_NUMBER_H

#include <stdint.h>

#include "base/text.h"

/* Whether int64_t holds exactly the number that is written: also 1e3 and 5.0, but not 1e-1. */
bool sb_number_is_integer(sb_slice text, int64_t *integer);
/*
 * The double that is nearest, infinite where none is; false: out of memory. Behind the text stands
 * a byte that belongs to no number, such as its NUL.
 */
bool sb_number_to_double(sb_slice text, double *number);

#endif
