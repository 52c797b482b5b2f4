/* SPDX-License-Identifier: MIT */
/*
 * The negative control: it breaks on the one prefix of four bytes below, which run.sh must find. Where it
 * does not, nothing that the other targets did not find means anything.
 */
#include <string.h>

#include "fuzz/driver.h"

void fuzz_one(const uint8_t *bytes, size_t len)
{
	uint32_t word = 0;

	if (len >= sizeof word)
		memcpy(&word, bytes, sizeof word);
	fuzz_check(word != 0x4B52414DU);
}
