/* SPDX-License-Identifier: MIT */
#include "config/engine_config.h"

#include <inttypes.h>

#include "base/utf8.h"

enum { PATH_LEN_MAX = 4095, HEARTBEAT_MIN_MS = 100 };

#define MIB INT64_C(1048576)
#define DAY_MS INT64_C(86400000)
#define TEN_YEARS_MS (INT64_C(3653) * DAY_MS)

/* Its default follows from the store: the strongest that it can give. */
static const sb_config_choice durabilities[] = {
	{ "memory", SB_CONFIG_DURABILITY_MEMORY },
	{ "process", SB_CONFIG_DURABILITY_PROCESS },
	{ "disk", SB_CONFIG_DURABILITY_DISK },
	{ NULL, 0 },
};

static const sb_config_field retention_fields[] = {
	{ .name = "completed_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .flags = SB_CONFIG_NULLABLE,
	  .min = -1,
	  .max = TEN_YEARS_MS,
	  .initial = 7 * DAY_MS,
	  .null = -1,
	  SB_CONFIG_MEMBER(sb_retention_config, completed_ms) },
	{ .name = "failed_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .flags = SB_CONFIG_NULLABLE,
	  .min = -1,
	  .max = TEN_YEARS_MS,
	  .initial = 30 * DAY_MS,
	  .null = -1,
	  SB_CONFIG_MEMBER(sb_retention_config, failed_ms) },
	{ .name = "cancelled_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .flags = SB_CONFIG_NULLABLE,
	  .min = -1,
	  .max = TEN_YEARS_MS,
	  .initial = 7 * DAY_MS,
	  .null = -1,
	  SB_CONFIG_MEMBER(sb_retention_config, cancelled_ms) },
	{ .name = "sweep_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 100000,
	  .initial = 1000,
	  SB_CONFIG_MEMBER(sb_retention_config, sweep_count_max) },
};

const sb_config_table sb_retention_config_table = {
	retention_fields, sizeof retention_fields / sizeof *retention_fields
};

static const sb_config_field breaker_fields[] = {
	{ .name = "failure_count",
	  .kind = SB_CONFIG_INTEGER,
	  .max = 1000000,
	  .initial = 5,
	  SB_CONFIG_MEMBER(sb_breaker_config, failure_count) },
	{ .name = "open_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 3600000,
	  .initial = 1000,
	  SB_CONFIG_MEMBER(sb_breaker_config, open_ms) },
};

const sb_config_table sb_breaker_config_table = { breaker_fields,
						  sizeof breaker_fields / sizeof *breaker_fields };

static const sb_config_field queue_element = { .kind = SB_CONFIG_OBJECT,
					       .table = &sb_queue_config_table };

static const sb_config_field fields[] = {
	{ .name = "store",
	  .kind = SB_CONFIG_TEXT,
	  .flags = SB_CONFIG_REQUIRED,
	  .min = 1,
	  .max = PATH_LEN_MAX + 7,
	  SB_CONFIG_MEMBER(sb_engine_config, store) },
	{ .name = "durability",
	  .kind = SB_CONFIG_CHOICE,
	  .choices = durabilities,
	  .initial = SB_CONFIG_DURABILITY_DISK,
	  SB_CONFIG_MEMBER(sb_engine_config, durability) },
	{ .name = "busy_timeout_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 600000,
	  .initial = 5000,
	  SB_CONFIG_MEMBER(sb_engine_config, busy_timeout_ms) },
	{ .name = "allow_network_fs",
	  .kind = SB_CONFIG_BOOLEAN,
	  SB_CONFIG_MEMBER(sb_engine_config, is_network_allowed) },
	{ .name = "wal_alarm_mib",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 65536,
	  .initial = 256,
	  SB_CONFIG_MEMBER(sb_engine_config, wal_alarm_mib) },
	{ .name = "payload_len_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 64 * MIB,
	  .initial = MIB,
	  SB_CONFIG_MEMBER(sb_engine_config, payload_len_max) },
	{ .name = "strict_handlers",
	  .kind = SB_CONFIG_BOOLEAN,
	  SB_CONFIG_MEMBER(sb_engine_config, is_strict) },
	{ .name = "lease_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1000,
	  .max = 3600000,
	  .initial = 30000,
	  SB_CONFIG_MEMBER(sb_engine_config, lease_ms) },
	{ .name = "heartbeat_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = HEARTBEAT_MIN_MS,
	  .max = 1800000,
	  SB_CONFIG_MEMBER(sb_engine_config, heartbeat_ms) },
	{ .name = "poll_ms",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 10,
	  .max = 60000,
	  .initial = 500,
	  SB_CONFIG_MEMBER(sb_engine_config, poll_ms) },
	{ .name = "group_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 100000,
	  .initial = 4096,
	  SB_CONFIG_MEMBER(sb_engine_config, group_count_max) },
	{ .name = "queue_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 10000000,
	  .initial = 65536,
	  SB_CONFIG_MEMBER(sb_engine_config, queue_count_max) },
	{ .name = "crash_count_max",
	  .kind = SB_CONFIG_INTEGER,
	  .min = 1,
	  .max = 100,
	  .initial = 3,
	  SB_CONFIG_MEMBER(sb_engine_config, crash_count_max) },
	{ .name = "retention",
	  .kind = SB_CONFIG_OBJECT,
	  .table = &sb_retention_config_table,
	  SB_CONFIG_MEMBER(sb_engine_config, retention) },
	{ .name = "retry",
	  .kind = SB_CONFIG_OBJECT,
	  .table = &sb_retry_config_table,
	  SB_CONFIG_MEMBER(sb_engine_config, retry) },
	{ .name = "breaker",
	  .kind = SB_CONFIG_OBJECT,
	  .table = &sb_breaker_config_table,
	  SB_CONFIG_MEMBER(sb_engine_config, breaker) },
	{ .name = "queues",
	  .kind = SB_CONFIG_MAP,
	  .max = 1024,
	  .signs = SB_CONFIG_NAME_SIGNS,
	  .element = &queue_element,
	  SB_CONFIG_MEMBER(sb_engine_config, queues) },
};

const sb_config_table sb_engine_config_table = { fields, sizeof fields / sizeof *fields };

static stepbus_status refuse_store(const sb_config_node *node, sb_slice store, stepbus_error *err)
{
	sb_shown shown;

	return sb_config_fail(err, &node->place,
			      "store is '%s': it must be \"sqlite:\" and the path of a file of at "
			      "most %d bytes, or \"memory:\"",
			      sb_show(&shown, store.data, store.len), PATH_LEN_MAX);
}

/* SQLite takes these for databases of one connection, which would lose every step in silence. */
static bool is_private(sb_slice path)
{
	return path.len == 0 || path.data[0] == ':' ||
	       (path.len >= 5 && memcmp(path.data, "file:", 5) == 0);
}

static stepbus_status read_store(const sb_config_node *root, sb_engine_config *out,
				 stepbus_error *err)
{
	static const char prefix[] = "sqlite:";
	const size_t prefix_len = sizeof prefix - 1;
	const sb_config_node *node = sb_config_node_find(root, "store");
	sb_slice store = out->store;

	out->store_path = sb_slice_of(NULL, 0);
	if (sb_slice_is_equal(store, sb_slice_z("memory:")))
		return STEPBUS_OK;
	if (store.len < prefix_len || memcmp(store.data, prefix, prefix_len) != 0)
		return refuse_store(node, store, err);
	out->store_path = sb_slice_of(store.data + prefix_len, store.len - prefix_len);
	return is_private(out->store_path) ? refuse_store(node, store, err) : STEPBUS_OK;
}

static stepbus_status read_durability(const sb_config_node *root, sb_engine_config *out,
				      stepbus_error *err)
{
	const sb_config_node *node = sb_config_node_find(root, "durability");

	if (out->store_path.len > 0)
		return STEPBUS_OK;
	if (node == NULL)
		out->durability = SB_CONFIG_DURABILITY_MEMORY;
	if (out->durability == SB_CONFIG_DURABILITY_MEMORY)
		return STEPBUS_OK;
	return sb_config_fail(err, &node->place,
			      "durability is '%.*s': the store \"memory:\" has only \"memory\"",
			      (int)node->value.text.len, node->value.text.data);
}

/* Twice in a lease, so that one heartbeat may come late. */
static stepbus_status read_heartbeat(const sb_config_node *root, sb_engine_config *out,
				     stepbus_error *err)
{
	const sb_config_node *node = sb_config_node_find(root, "heartbeat_ms");

	if (node == NULL)
		out->heartbeat_ms = out->lease_ms / 3;
	if (out->heartbeat_ms <= out->lease_ms / 2)
		return STEPBUS_OK;
	return sb_config_fail(err, &node->place,
			      "heartbeat_ms is %" PRId64 ": it must be at most half of lease_ms, "
			      "which is %" PRId64,
			      out->heartbeat_ms, out->lease_ms);
}

stepbus_status sb_engine_config_read(const sb_config_node *root, sb_engine_config *out,
				     stepbus_error *err)
{
	stepbus_status status = sb_config_apply(&sb_engine_config_table, root, out, err);

	if (status == STEPBUS_OK)
		status = read_store(root, out, err);
	if (status == STEPBUS_OK)
		status = read_durability(root, out, err);
	if (status == STEPBUS_OK)
		status = read_heartbeat(root, out, err);
	if (status == STEPBUS_OK)
		status =
			sb_retry_config_check(&out->retry, sb_config_node_find(root, "retry"), err);
	return status;
}
