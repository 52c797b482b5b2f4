/* SPDX-License-Identifier: MIT */
/* An entry of the timetable: when which step is enqueued. Pure. */
#ifndef SB_CONFIG_CRON_CONFIG_H
#define SB_CONFIG_CRON_CONFIG_H

#include "config/retry_config.h"

/* What is made up for when nobody was there to fire. */
enum {
	SB_CATCH_UP_NONE = 1,
	SB_CATCH_UP_ONE = 2,
	SB_CATCH_UP_ALL = 3,
};

/* A step as a configuration says it; what is empty or 0 was not given, but for the priority. */
typedef struct sb_step_config {
	sb_slice handler;
	sb_slice handler_namespace;
	sb_slice handler_version;
	sb_slice queue;
	sb_slice input; /* JSON */
	sb_slice step_name;
	sb_slice step_config; /* JSON */
	sb_slice correlation_id;
	sb_slice caller;
	sb_slice concurrency_key;
	sb_config_list tags; /* words */
	int64_t wait_timeout_ms;
	int64_t attempt_timeout_ms;
	int64_t total_timeout_ms;
	int32_t priority;
	sb_retry_config retry;
} sb_step_config;

typedef struct sb_cron_config {
	sb_slice name;
	sb_slice expression;
	sb_slice zone;
	sb_slice step_json; /* step as it was given, to be kept and read again */
	uint32_t catch_up;
	bool is_paused;
	sb_step_config step;
} sb_cron_config;

extern const sb_config_table sb_cron_config_table;
extern const sb_config_table sb_step_config_table;

/* Neither expression nor zone is understood here. The tree of root must outlive *out. */
stepbus_status sb_cron_config_read(const sb_config_node *root, sb_cron_config *out,
				   stepbus_error *err);
/* Reads step_json again, from a tree of its own. */
stepbus_status sb_step_config_read(const sb_config_node *root, sb_step_config *out,
				   stepbus_error *err);

#endif
