/* SPDX-License-Identifier: MIT */
/*
 * Log records: one JSON object each, handed to the host. Never from under a lock, since the host
 * may call back. A record is one line, whatever stands in it: all characters that would end one, or that a
 * terminal obeys, are escaped. A record that memory does not suffice for is left out.
 */
#ifndef SB_BASE_LOG_H
#define SB_BASE_LOG_H

#include "base/text.h"

/*
 * What a record says beside the time and the version. Names are literals; entity_id may be anything,
 * and need not end in NUL. All but component and message may be empty.
 */
typedef struct sb_log_record {
	int32_t level;
	const char *component;
	const char *message;
	const char *event_type;
	const char *entity_type;
	sb_slice entity_id;
} sb_log_record;

void sb_log(const stepbus_host *host, const sb_log_record *record);

#endif
