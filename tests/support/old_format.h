/* SPDX-License-Identifier: MIT */
/*
 * Stores of older formats, for tests of what the library makes of them: a store of today's is changed
 * into what an older version would have left. A new format adds its way back here, in one place.
 */
#ifndef TESTS_SUPPORT_OLD_FORMAT_H
#define TESTS_SUPPORT_OLD_FORMAT_H

#include <stdbool.h>

/* Nobody has the store open. False: it is none of today's, or could not be written. */
bool test_old_format_make(const char *path);

#endif
