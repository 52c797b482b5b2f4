/* SPDX-License-Identifier: MIT */
/* Which steps a query asks for. Pure. */
#ifndef SB_CONFIG_STEP_QUERY_H
#define SB_CONFIG_STEP_QUERY_H

#include "config/schema.h"

/* What is empty or 0 was not asked for. */
typedef struct sb_step_query {
	uint32_t states; /* bits 1 << state, as the store numbers them */
	uint32_t limit;
	sb_slice queue;
	sb_slice handler;
	sb_slice handler_namespace;
	sb_slice tag;
	sb_slice correlation_id;
	sb_slice cursor;
	int64_t created_from_us; /* inclusive */
	int64_t created_to_us;   /* exclusive */
	bool is_ascending;
} sb_step_query;

extern const sb_config_table sb_step_query_table;

/* The tree of root must outlive *out. errors: STEPBUS_EINVAL. */
stepbus_status sb_step_query_read(const sb_config_node *root, sb_step_query *out,
				  stepbus_error *err);

#endif
