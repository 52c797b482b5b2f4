/* SPDX-License-Identifier: MIT */
/*
 * A time zone, read from the bytes of a TZif file (RFC 8536, versions 1 to 4): what its clocks show
 * at an instant, and when they show something. Past the end of the file's table the rule at its end
 * goes on for ever. Instants are seconds since 1970 UTC; local times are the same number as if they
 * were UTC. Both are to stay within 2^60.
 *
 * A zone never changes, and may be used by many threads. NULL is UTC, and needs no file. Pure but
 * for the memory. Any bytes may be given: each offset is checked. Files that count leap seconds
 * ("right/...") are refused, since our clock does not.
 */
#ifndef SB_HANDLERS_ZONE_H
#define SB_HANDLERS_ZONE_H

#include "base/text.h"

enum { SB_ZONE_LEN_MAX = 65536 };

typedef struct sb_zone sb_zone;

/* How often the clocks show a local time. */
typedef enum sb_zone_times {
	SB_ZONE_NEVER, /* they were put forward past it */
	SB_ZONE_ONCE,
	SB_ZONE_TWICE, /* they were put back behind it */
} sb_zone_times;

typedef struct sb_zone_found {
	sb_zone_times times;
	int64_t first_s; /* when they first showed it; never: the first instant behind the gap */
	int64_t last_s;  /* when they last showed it; never: as first_s */
} sb_zone_found;

/* out is to be freed with sb_zone_free. STEPBUS_EINVAL where the bytes are no such file. */
stepbus_status sb_zone_parse(const stepbus_host *host, const void *bytes, size_t len, sb_zone **out,
			     stepbus_error *err);
void sb_zone_free(const stepbus_host *host, sb_zone *zone);

/* Local time minus UTC. */
int32_t sb_zone_offset_s(const sb_zone *zone, int64_t at_s);
/* The first instant after at_s at which the clocks are changed; false where there is none. */
bool sb_zone_next(const sb_zone *zone, int64_t at_s, int64_t *next_s);
void sb_zone_find(const sb_zone *zone, int64_t local_s, sb_zone_found *out);

#endif
