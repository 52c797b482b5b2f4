/* SPDX-License-Identifier: MIT */
/*
 * Log records are one line each, whatever stands in them (F53): one JSON object, in which no control
 * character, of C0 or C1, and no line or paragraph separator stands as it is.
 */
#include <stdlib.h>

#include "base/log.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

static sb_slice entity_id;
static int heard_count;

static bool is_unseen(const char *at, size_t len)
{
	const uint8_t first = (uint8_t)at[0], second = len > 1 ? (uint8_t)at[1] : 0;

	if (first < 0x20 || first == 0x7F || (first == 0xC2 && second < 0xA0))
		return true;
	return len == 3 && first == 0xE2 && second == 0x80 && ((uint8_t)at[2] & 0xFE) == 0xA8;
}

static void hear(void *user_data, int32_t level, const char *record, size_t len)
{
	const sb_slice line = sb_slice_of(record, len);
	fuzz_json *json = fuzz_json_parse(line, 2);
	const fuzz_json *id = fuzz_json_find(json, sb_slice_z("entity_id"));

	(void)user_data;
	(void)level;
	heard_count++;
	fuzz_check(json != NULL && json->kind == FUZZ_JSON_OBJECT && !fuzz_json_has_twins(json));
	for (size_t at = 0, step; at < len; at += step) {
		step = fuzz_utf8_step(record + at, len - at);
		if (step == 0 || is_unseen(record + at, step))
			fuzz_fail(__FILE__, __LINE__, "byte %zu of the record: 0x%02x", at,
				  (uint8_t)record[at]);
	}
	fuzz_check((id != NULL) == (entity_id.len > 0));
	if (id != NULL && entity_id.len <= 1024 && fuzz_utf8_is_valid(entity_id))
		fuzz_check(sb_slice_is_equal(sb_slice_of(id->text, id->text_len), entity_id));
	fuzz_json_free(json);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	stepbus_host host = *fuzz_host();
	fuzz_feed feed;
	sb_log_record record = { .component = "fuzz", .message = "was told something" };

	fuzz_feed_begin(&feed, bytes, len);
	host.log = hear;
	host.log_level = 0;
	record.level = fuzz_feed_byte(&feed) - 1;
	record.entity_type = fuzz_feed_bool(&feed) ? "step" : NULL;
	entity_id = fuzz_feed_rest(&feed);
	record.entity_id = entity_id;
	heard_count = 0;
	sb_log(&host, &record);
	fuzz_check(heard_count == (record.level >= 0));
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
