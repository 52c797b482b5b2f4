/* SPDX-License-Identifier: MIT */
/*
 * The small readers of text, each beside a reference or its own way back: times, base64, ids, UTF-8,
 * words, numbers, nearest names, and what is shown of hostile bytes in a message. The first byte of an
 * input chooses one of them, so that a corpus can be read.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "base/words.h"
#include "config/number.h"
#include "fuzz/feed.h"
#include "fuzz/reference.h"

static void check_time(fuzz_feed *feed)
{
	const sb_slice text = fuzz_feed_rest(feed);
	char written[SB_CLOCK_TEXT_LEN];
	int64_t time_us = 5, again_us = 6;

	if (!sb_clock_parse(text.data, text.len, &time_us)) {
		fuzz_check(time_us == 5);
		return;
	}
	fuzz_check(text.len >= 20);
	sb_clock_format(time_us, written);
	fuzz_check(strlen(written) == SB_CLOCK_TEXT_LEN - 1);
	fuzz_check(sb_clock_parse(written, strlen(written), &again_us) && again_us == time_us);
	/* What is said in UTC to the second reads the same. */
	if ((text.data[19] == 'Z' || text.data[19] == 'z') && text.data[17] != '6') {
		fuzz_check(memcmp(written, text.data, 10) == 0);
		fuzz_check(memcmp(written + 11, text.data + 11, 8) == 0);
	}
}

static void check_moment(fuzz_feed *feed)
{
	const int64_t time_us = fuzz_feed_int64(feed);
	char text[SB_CLOCK_TEXT_LEN];
	int64_t again_us;

	sb_clock_format(time_us, text);
	fuzz_check(sb_clock_parse(text, strlen(text), &again_us));
	if (time_us >= INT64_C(-62135596800000000) && time_us <= INT64_C(253402300799999999))
		fuzz_check(again_us == time_us);
}

static int base64_value(char c)
{
	static const char signs[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(signs, c) : NULL;

	return at != NULL ? (int)(at - signs) : -1;
}

static void check_base64(fuzz_feed *feed)
{
	const sb_slice bytes = fuzz_feed_rest(feed);
	const size_t len = sb_base64_len(bytes.len);
	char *text = malloc(len + 1);
	size_t count = 0;
	uint32_t bits = 0;

	fuzz_check(text != NULL && len == (bytes.len + 2) / 3 * 4);
	sb_base64_write(bytes.data, bytes.len, text);
	for (size_t i = 0; i < len; i++) {
		const int value = base64_value(text[i]);

		fuzz_check(value >= 0 || (text[i] == '=' && i >= len - 2));
		bits = bits << 6 | (uint32_t)(value > 0 ? value : 0);
		if (i % 4 != 3)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8, count++)
			if (count < bytes.len)
				fuzz_check((char)(bits >> shift) == bytes.data[count]);
	}
	fuzz_check(count >= bytes.len && count < bytes.len + 3);
	free(text);
}

static void check_id(fuzz_feed *feed)
{
	const sb_slice text = fuzz_feed_rest(feed);
	uint8_t id[SB_ID_LEN] = { 0 }, again[SB_ID_LEN], row_id[SB_ID_LEN];
	char written[SB_ID_TEXT_LEN + 1];
	int64_t row;

	if (!sb_id_parse(text.data, text.len, id))
		return;
	fuzz_check(text.len == SB_ID_TEXT_LEN);
	sb_id_format(id, written);
	fuzz_check(sb_id_parse(written, strlen(written), again) && memcmp(id, again, 16) == 0);
	for (size_t i = 0; i < SB_ID_TEXT_LEN; i++)
		fuzz_check(((uint8_t)written[i] | 0x20) == ((uint8_t)text.data[i] | 0x20));
	row = sb_id_to_row(id, id + 6);
	fuzz_check(row >= 0 && row < INT64_C(1) << 48);
	sb_id_of_row(row, id + 6, row_id);
	if (row != 0)
		fuzz_check(memcmp(row_id, id, SB_ID_LEN) == 0);
}

static void check_utf8(fuzz_feed *feed)
{
	const sb_slice text = fuzz_feed_rest(feed);
	char *copy = malloc(text.len + 1);
	size_t valid = 0, step = 1, cut = sb_utf8_cut(text.data, text.len);
	sb_shown shown;

	fuzz_check(copy != NULL);
	while (valid < text.len && step > 0) {
		step = fuzz_utf8_step(text.data + valid, text.len - valid);
		valid += step;
	}
	fuzz_check(sb_utf8_valid_len(text.data, text.len) == valid);
	fuzz_check(sb_utf8_is_valid(text.data, text.len) == (valid == text.len));
	fuzz_check(cut <= text.len && text.len - cut <= 3);
	memcpy(copy, text.data, text.len);
	sb_utf8_repair(copy, text.len);
	fuzz_check(fuzz_utf8_is_valid(sb_slice_of(copy, text.len)));
	/* What was valid stays, and every front of it can be cut to something valid. */
	fuzz_check(memcmp(copy, text.data, valid) == 0);
	for (size_t len = 0; len <= valid && len <= 64; len++) {
		cut = sb_utf8_cut(text.data, len);
		fuzz_check(cut <= len && fuzz_utf8_is_valid(sb_slice_of(text.data, cut)));
	}
	(void)sb_show(&shown, text.data, text.len);
	fuzz_check(fuzz_utf8_is_valid(sb_slice_z(shown.text)) && strlen(shown.text) < SB_SHOWN_LEN);
	free(copy);
}

static void check_words(fuzz_feed *feed)
{
	const sb_slice wanted = fuzz_feed_line(feed);
	const sb_slice words = fuzz_feed_rest(feed);
	sb_slice left = words, word;
	size_t count = 0, commas = 0;
	bool found = false;

	for (size_t i = 0; i < words.len; i++)
		commas += words.data[i] == ',';
	while (sb_words_next(&left, &word)) {
		fuzz_check(word.data >= words.data && word.len <= words.len);
		fuzz_check(word.len == 0 ||
			   (word.data[0] != ' ' && word.data[word.len - 1] != ' '));
		found = found || sb_slice_is_equal(word, wanted);
		count++;
	}
	fuzz_check(count == commas + 1 && found == sb_words_has(words, wanted));
}

static void check_number(fuzz_feed *feed)
{
	const sb_slice text = fuzz_feed_rest(feed);
	fuzz_json *json = fuzz_json_parse(text, 1);
	char *copy;
	double number = 0, wanted;
	int64_t integer = 0;
	bool is_integer;

	if (json == NULL || json->kind != FUZZ_JSON_NUMBER || json->raw.len != text.len) {
		fuzz_json_free(json);
		return;
	}
	copy = strndup(text.data, text.len);
	fuzz_check(copy != NULL);
	wanted = strtod(copy, NULL);
	fuzz_check(sb_number_to_double(sb_slice_of(copy, text.len), &number) && number == wanted);
	is_integer = sb_number_is_integer(text, &integer);
	if (is_integer)
		fuzz_check((double)integer == wanted);
	else
		/* Small whole numbers are integers, however they are written. */
		fuzz_check(!(wanted > -1e15 && wanted < 1e15 && wanted == (double)(int64_t)wanted &&
			     text.len <= 15 && memchr(text.data, 'e', text.len) == NULL &&
			     memchr(text.data, 'E', text.len) == NULL));
	free(copy);
	fuzz_json_free(json);
}

static bool is_same_but_for_case(sb_slice a, sb_slice b)
{
	if (a.len != b.len || a.len > 128)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (tolower((uint8_t)a.data[i]) != tolower((uint8_t)b.data[i]))
			return false;
	return true;
}

static void check_nearest(fuzz_feed *feed)
{
	const sb_slice wanted = fuzz_feed_line(feed);
	sb_nearest nearest = sb_nearest_to(wanted);
	bool is_there = false;

	for (int i = 0; i < 20 && feed->left > 0; i++) {
		const sb_slice name = fuzz_feed_line(feed);
		const size_t before = nearest.distance;

		sb_nearest_offer(&nearest, name);
		fuzz_check(nearest.distance <= before);
		is_there = is_there || is_same_but_for_case(name, wanted);
	}
	/* Case does not count. */
	fuzz_check((nearest.distance == 0) == is_there);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static void (*const checks[])(
		fuzz_feed * feed) = { check_time, check_moment, check_base64, check_id,
				      check_utf8, check_words,  check_number, check_nearest };
	fuzz_feed feed;

	fuzz_feed_begin(&feed, bytes, len);
	checks[fuzz_feed_below(&feed, sizeof checks / sizeof *checks)](&feed);
	fuzz_feed_end(&feed);
}
