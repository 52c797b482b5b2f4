/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

static const char *level_name(int32_t level)
{
	static const char *const names[] = { "none", "debug", "info", "warn", "error" };

	return level >= STEPBUS_LOG_DEBUG && level <= STEPBUS_LOG_ERROR ? names[level] : names[0];
}

static bool add_optional(sb_json *json, const char *name, const char *text)
{
	return text == NULL || sb_json_add_text(json, name, sb_slice_z(text));
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
	host->log(host->user_data, record->level, sb_text_data(text), sb_text_len(text));
	sb_text_free(text);
}
