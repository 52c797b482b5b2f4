/* SPDX-License-Identifier: MIT */
#include "config/step_query.h"

/* The numbers of src/store/step_state.h, which never change: they stand in databases. */
static const sb_config_choice states[] = {
	{ "waiting", 1 },     { "scheduled", 2 }, { "ready", 3 },  { "parked", 4 },
	{ "running", 5 },     { "completed", 6 }, { "failed", 7 }, { "cancelled", 8 },
	{ "quarantined", 9 }, { NULL, 0 },
};

/* Stored as the bool is_ascending. */
static const sb_config_choice orders[] = {
	{ "newest", false },
	{ "oldest", true },
	{ NULL, 0 },
};

#define NAME_FIELD(text, member_name)                                                    \
	.name = (text), .kind = SB_CONFIG_TEXT, .min = 1, .max = SB_CONFIG_NAME_LEN_MAX, \
	.signs = SB_CONFIG_NAME_SIGNS, SB_CONFIG_MEMBER(sb_step_query, member_name)
#define TIME_FIELD(text, member_name)                                                         \
	.name = (text), .kind = SB_CONFIG_TIME, .min = 0, .max = INT64_C(253402300799999999), \
	SB_CONFIG_MEMBER(sb_step_query, member_name)

static const sb_config_field fields[] = {
	{ .name = "state",
	  .kind = SB_CONFIG_CHOICES,
	  .choices = states,
	  SB_CONFIG_MEMBER(sb_step_query, states) },
	{ NAME_FIELD("queue", queue) },
	{ NAME_FIELD("handler", handler) },
	{ NAME_FIELD("handler_namespace", handler_namespace) },
	{ NAME_FIELD("tag", tag) },
	{ .name = "correlation_id",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = 256,
	  SB_CONFIG_MEMBER(sb_step_query, correlation_id) },
	{ TIME_FIELD("created_from", created_from_us) },
	{ TIME_FIELD("created_to", created_to_us) },
	{ .name = "cursor",
	  .kind = SB_CONFIG_TEXT,
	  .min = 1,
	  .max = 128,
	  .signs = "_.-",
	  SB_CONFIG_MEMBER(sb_step_query, cursor) },
	{ .name = "limit",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 1000,
	  .initial = 100,
	  SB_CONFIG_MEMBER(sb_step_query, limit) },
	{ .name = "order",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = orders,
	  .initial = false,
	  SB_CONFIG_MEMBER(sb_step_query, is_ascending) },
};

const sb_config_table sb_step_query_table = { fields, sizeof fields / sizeof *fields };

stepbus_status sb_step_query_read(const sb_config_node *root, sb_step_query *out,
				  stepbus_error *err)
{
	stepbus_status status = sb_config_apply(&sb_step_query_table, root, out, err);
	const sb_config_node *to = sb_config_node_find(root, "created_to");

	if (status != STEPBUS_OK || to == NULL || out->created_from_us < out->created_to_us)
		return status;
	return sb_config_fail(err, &to->place,
			      "created_to is not after created_from: no step can "
			      "lie between them");
}
