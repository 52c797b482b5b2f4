/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <stdint.h>

static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t sb_base64_len(size_t len)
{
	return len <= SIZE_MAX / 4 * 3 - 3 ? (len + 2) / 3 * 4 : 0;
}

void sb_base64_write(const void *bytes, size_t len, char *text)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t three = (uint32_t)from[i] << 16;

		if (left > 1)
			three |= (uint32_t)from[i + 1] << 8;
		if (left > 2)
			three |= from[i + 2];
		*text++ = signs[three >> 18];
		*text++ = signs[three >> 12 & 63];
		*text++ = left > 1 ? signs[three >> 6 & 63] : '=';
		*text++ = left > 2 ? signs[three & 63] : '=';
	}
}
