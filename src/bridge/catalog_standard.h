/* SPDX-License-Identifier: MIT */
/* The standard events: a table, and nothing else. */
#ifndef SB_BRIDGE_CATALOG_STANDARD_H
#define SB_BRIDGE_CATALOG_STANDARD_H

#include <stddef.h>

#include "bridge/payload.h"

/* schema and example are JSON; fired_by is a comma-separated list. */
typedef struct sb_standard_event {
	const char *name;
	const char *category;
	const char *description;
	const char *schema;
	const char *example;
	const char *fired_by;
	sb_payload_kind kind;
} sb_standard_event;

extern const sb_standard_event sb_catalog_standard[];
extern const size_t sb_catalog_standard_count;

#endif
