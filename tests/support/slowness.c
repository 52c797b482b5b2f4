/* SPDX-License-Identifier: MIT */
#include "support/slowness.h"

#include <stdlib.h>

int test_slowness(void)
{
	const char *text = getenv("STEPBUS_TEST_SLOWNESS");
	long factor = text != NULL ? strtol(text, NULL, 10) : 1;

	if (factor < 1)
		factor = 1;
	if (factor > 1000)
		factor = 1000;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	factor *= 10;
#endif
	return (int)factor;
}
