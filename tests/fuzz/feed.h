/* SPDX-License-Identifier: MIT */
/*
 * Takes what a target needs off the front of its bytes: numbers, choices, texts. At the end of the bytes
 * everything is zero or empty, so that each input means something. Texts are copies in blocks as long
 * as they are, so that a read past their end is seen; all go at fuzz_feed_end.
 */
#ifndef TESTS_FUZZ_FEED_H
#define TESTS_FUZZ_FEED_H

#include "base/text.h"
#include "fuzz/driver.h"

enum { FUZZ_FEED_COPY_MAX = 1024 };

typedef struct fuzz_feed {
	const uint8_t *next;
	size_t left;
	size_t copy_count;
	char *copies[FUZZ_FEED_COPY_MAX];
} fuzz_feed;

void fuzz_feed_begin(fuzz_feed *feed, const uint8_t *bytes, size_t len);
void fuzz_feed_end(fuzz_feed *feed);

uint8_t fuzz_feed_byte(fuzz_feed *feed);
/* 0 to count - 1. */
uint32_t fuzz_feed_below(fuzz_feed *feed, uint32_t count);
bool fuzz_feed_bool(fuzz_feed *feed);
/* Little-endian, 8 bytes. */
int64_t fuzz_feed_int64(fuzz_feed *feed);
/* One that is small, at an edge of its type, or anything. */
int64_t fuzz_feed_odd(fuzz_feed *feed);
/* A byte says how long it is, at most 255 (or, past 250, up to 64 KiB by two more). */
sb_slice fuzz_feed_text(fuzz_feed *feed);
/* Up to the next line end, which is taken too: for corpora that one can read. */
sb_slice fuzz_feed_line(fuzz_feed *feed);
/* All that is left. */
sb_slice fuzz_feed_rest(fuzz_feed *feed);

#endif
