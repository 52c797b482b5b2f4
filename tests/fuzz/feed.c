/* SPDX-License-Identifier: MIT */
#include "fuzz/feed.h"

#include <stdlib.h>

void fuzz_feed_begin(fuzz_feed *feed, const uint8_t *bytes, size_t len)
{
	feed->next = bytes;
	feed->left = len;
	feed->copy_count = 0;
}

void fuzz_feed_end(fuzz_feed *feed)
{
	while (feed->copy_count > 0)
		free(feed->copies[--feed->copy_count]);
}

uint8_t fuzz_feed_byte(fuzz_feed *feed)
{
	if (feed->left == 0)
		return 0;
	feed->left--;
	return *feed->next++;
}

uint32_t fuzz_feed_below(fuzz_feed *feed, uint32_t count)
{
	return fuzz_feed_byte(feed) % count;
}

bool fuzz_feed_bool(fuzz_feed *feed)
{
	return (fuzz_feed_byte(feed) & 1) != 0;
}

int64_t fuzz_feed_int64(fuzz_feed *feed)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value |= (uint64_t)fuzz_feed_byte(feed) << (8 * i);
	return (int64_t)value;
}

int64_t fuzz_feed_odd(fuzz_feed *feed)
{
	static const int64_t edges[] = { 0,
					 1,
					 -1,
					 INT32_MAX,
					 INT32_MIN,
					 INT64_MAX,
					 INT64_MIN,
					 UINT32_MAX,
					 1000000,
					 86400000,
					 65536,
					 INT64_MAX / 1000,
					 INT64_MAX - 1,
					 100,
					 3600000 };
	const uint8_t kind = fuzz_feed_byte(feed);

	if (kind < 128)
		return kind;
	if (kind < 240)
		return edges[kind % (sizeof edges / sizeof *edges)];
	return fuzz_feed_int64(feed);
}

static sb_slice take(fuzz_feed *feed, size_t len)
{
	char *copy;

	if (len > feed->left)
		len = feed->left;
	if (len == 0 || feed->copy_count == FUZZ_FEED_COPY_MAX)
		return sb_slice_of("", 0);
	copy = malloc(len);
	fuzz_check(copy != NULL);
	memcpy(copy, feed->next, len);
	feed->copies[feed->copy_count++] = copy;
	feed->next += len;
	feed->left -= len;
	return sb_slice_of(copy, len);
}

sb_slice fuzz_feed_text(fuzz_feed *feed)
{
	size_t len = fuzz_feed_byte(feed);

	if (len > 250) {
		len = fuzz_feed_byte(feed);
		len |= (size_t)fuzz_feed_byte(feed) << 8;
	}
	return take(feed, len);
}

sb_slice fuzz_feed_line(fuzz_feed *feed)
{
	const uint8_t *end = feed->left > 0 ? memchr(feed->next, '\n', feed->left) : NULL;
	const sb_slice line = take(feed, end != NULL ? (size_t)(end - feed->next) : feed->left);

	if (end != NULL)
		(void)fuzz_feed_byte(feed);
	return line;
}

sb_slice fuzz_feed_rest(fuzz_feed *feed)
{
	return take(feed, feed->left);
}
