/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

static const char *level_name(int32_t level)
{
	static const char *const names[] = { "none", "debug", "info", "warn", "error" };

	return level >= STEPBUS_LOG_DEBUG && level <= STEPBUS_LOG_ERROR ? names[level] : names[0];
}

static bool add_optional(sb_json *json, const char *name, const char *text)
{
	return text == NULL || sb_json_add_text(json, name, sb_slice_z(text));
}

/*
 * The code of a character that a terminal or a reader of lines may obey and that JSON may have as it is:
 * DEL, the C1 controls, and the separators of lines and paragraphs. 0: the first one is none of them.
 */
static unsigned command_at(const char *text, size_t *len)
{
	const uint8_t *at = (const uint8_t *)text;

	*len = 1;
	if (at[0] == 0x7F)
		return 0x7F;
	if (at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0) {
		*len = 2;
		return at[1];
	}
	if (at[0] != 0xE2 || at[1] != 0x80 || (at[2] & 0xFE) != 0xA8)
		return 0;
	*len = 3;
	return 0x2000U | (at[2] & 0x3F);
}

/* Writes the record with those escaped; NULL: out of memory. */
static char *escape(const stepbus_host *host, const stepbus_text *record, size_t count)
{
	enum { ESCAPE_LEN = 6 };
	char *out = sb_alloc(host, sb_text_len(record) + count * ESCAPE_LEN + 1), *next = out;
	size_t len;

	for (const char *at = sb_text_data(record); out != NULL && *at != '\0'; at += len) {
		const unsigned code = command_at(at, &len);

		if (code == 0)
			*next++ = *at;
		else
			next += snprintf(next, ESCAPE_LEN + 1, "\\u%04x", code);
	}
	return out;
}

static void hand_out(const stepbus_host *host, int32_t level, const stepbus_text *record)
{
	size_t count = 0, len;
	char *escaped;

	for (const char *at = sb_text_data(record); *at != '\0'; at += len)
		count += command_at(at, &len) != 0;
	if (count == 0) {
		host->log(host->user_data, level, sb_text_data(record), sb_text_len(record));
		return;
	}
	escaped = escape(host, record, count);
	if (escaped != NULL)
		host->log(host->user_data, level, escaped, strlen(escaped));
	sb_release(host, escaped);
}

void sb_log(const stepbus_host *host, const sb_log_record *record)
{
	stepbus_text *text = NULL;
	sb_json *json;
	bool is_complete;

	if (host->log == NULL || record->level < host->log_level)
		return;
	json = sb_json_object_new();
	is_complete = sb_json_add_time(json, "timestamp", sb_clock_now_us(host)) &&
		      sb_json_add_text(json, "level", sb_slice_z(level_name(record->level))) &&
		      sb_json_add_text(json, "component", sb_slice_z(record->component)) &&
		      sb_json_add_text(json, "message", sb_slice_z(record->message)) &&
		      sb_json_add_text(json, "version", sb_slice_z(STEPBUS_VERSION)) &&
		      sb_json_add_int(json, "process_id", getpid()) &&
		      sb_json_add_int(json, "thread_id", syscall(SYS_gettid)) &&
		      add_optional(json, "event_type", record->event_type) &&
		      add_optional(json, "entity_type", record->entity_type);
	if (record->entity_id.len > 0)
		is_complete =
			sb_json_add_foreign(json, "entity_id", record->entity_id) && is_complete;
	if (sb_json_print_take(json, is_complete, host, &text, NULL) != STEPBUS_OK)
		return;
	hand_out(host, record->level, text);
	sb_text_free(text);
}
