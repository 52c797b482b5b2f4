/* SPDX-License-Identifier: MIT */
/* What an engine is opened with. Pure. */
#ifndef SB_CONFIG_ENGINE_CONFIG_H
#define SB_CONFIG_ENGINE_CONFIG_H

#include "config/queue_config.h"
#include "config/retry_config.h"

/* How long finished steps are kept; -1: for ever. */
typedef struct sb_retention_config {
	int64_t completed_ms;
	int64_t failed_ms; /* quarantined ones too */
	int64_t cancelled_ms;
	uint32_t sweep_count_max; /* steps deleted at a time */
} sb_retention_config;

/* When answers of hosts are refused because the store fails. */
typedef struct sb_breaker_config {
	uint32_t failure_count; /* 0: never */
	uint32_t open_ms;
} sb_breaker_config;

/* The values are those of the public header and of the store. */
enum {
	SB_CONFIG_DURABILITY_MEMORY = 1,
	SB_CONFIG_DURABILITY_PROCESS = 2,
	SB_CONFIG_DURABILITY_DISK = 3,
};

typedef struct sb_engine_config {
	sb_slice store;      /* as it was given */
	sb_slice store_path; /* of SQLite's file; empty: in memory */
	uint32_t durability;
	bool is_network_allowed;
	bool is_strict; /* about handlers that no worker ever served */
	int64_t busy_timeout_ms;
	int64_t lease_ms;
	int64_t heartbeat_ms;
	int64_t poll_ms;
	uint32_t wal_alarm_mib;
	uint32_t payload_len_max;
	uint32_t group_count_max; /* operations in one transaction */
	uint32_t queue_count_max; /* operations waiting for a transaction */
	uint32_t crash_count_max;
	sb_retention_config retention;
	sb_retry_config retry;
	sb_breaker_config breaker;
	sb_config_list queues; /* their names are the keys; sb_queue_config_change reads each */
} sb_engine_config;

extern const sb_config_table sb_engine_config_table;
extern const sb_config_table sb_retention_config_table;
extern const sb_config_table sb_breaker_config_table;

/* The tree of root must outlive *out. errors: STEPBUS_EINVAL, with *out unspecified. */
stepbus_status sb_engine_config_read(const sb_config_node *root, sb_engine_config *out,
				     stepbus_error *err);

#endif
