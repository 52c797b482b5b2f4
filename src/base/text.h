/* SPDX-License-Identifier: MIT */
/* The text that goes out to a host, and slices of text inside. */
#ifndef SB_BASE_TEXT_H
#define SB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "include/stepbus.h"

/* Borrowed bytes. data may be NULL only where len is 0. */
typedef struct sb_slice {
	const char *data;
	size_t len;
} sb_slice;

static inline sb_slice sb_slice_of(const char *data, size_t len)
{
	return (sb_slice){ data, len };
}

static inline sb_slice sb_slice_z(const char *text)
{
	return (sb_slice){ text, strlen(text) };
}

static inline bool sb_slice_is_equal(sb_slice a, sb_slice b)
{
	if (a.len != b.len || a.data == NULL || b.data == NULL)
		return a.len == b.len && a.len == 0;
	return memcmp(a.data, b.data, a.len) == 0;
}

/* A text of its own, with its own copy of the allocator: it may outlive what made it. */
stepbus_status sb_text_new(const stepbus_host *host, const char *data, size_t len,
			   stepbus_text **out, stepbus_error *err);
const char *sb_text_data(const stepbus_text *text);
size_t sb_text_len(const stepbus_text *text);
void sb_text_free(stepbus_text *text);

#endif
