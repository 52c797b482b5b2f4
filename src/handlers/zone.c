/* SPDX-License-Identifier: MIT */
#include "handlers/zone.h"

#include "base/error.h"
#include "base/memory.h"
#include "handlers/zone_rule.h"

/* The numbers are those of RFC 8536. */
enum {
	HEADER_LEN = 44,
	TYPE_LEN = 6,
	TYPE_COUNT_MAX = 256,
	OFFSET_MIN_S = -89999,
	OFFSET_MAX_S = 93599,
	RULE_LEN_MAX = 256,
};

/* As far as RFC 8536 lets times go. */
#define TIME_MAX_S (INT64_C(1) << 59)

typedef struct change {
	int64_t at_s;
	int32_t offset_s; /* from then on */
} change;

struct sb_zone {
	bool has_rule;
	sb_zone_rule rule;
	int64_t rule_from_s;
	int32_t offset_s; /* before the first change */
	size_t count;
	change changes[];
};

/* One block of a file: how many there are of each, and where. */
typedef struct block {
	uint32_t utc_count;
	uint32_t standard_count;
	uint32_t leap_count;
	uint32_t time_count;
	uint32_t type_count;
	uint32_t char_count;
	size_t time_len; /* of one time: 4 or 8 bytes */
	char version;
	const uint8_t *times;
	const uint8_t *types_of;
	const uint8_t *types;
	const uint8_t *end;
} block;

static uint32_t read_32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static int64_t read_time(const uint8_t *bytes, size_t time_len)
{
	if (time_len == 4)
		return (int32_t)read_32(bytes);
	return (int64_t)((uint64_t)read_32(bytes) << 32 | read_32(bytes + 4));
}

static uint64_t block_len(const block *b)
{
	return (uint64_t)b->time_count * (b->time_len + 1) + (uint64_t)b->type_count * TYPE_LEN +
	       b->char_count + (uint64_t)b->leap_count * (b->time_len + 4) + b->standard_count +
	       b->utc_count;
}

static stepbus_status refuse(stepbus_error *err, const char *what)
{
	(void)sb_fail(err, STEPBUS_EINVAL, "%s", what);
	return STEPBUS_EINVAL;
}

/* Reads the header and finds the parts behind it; what they hold is checked later. */
static stepbus_status read_block(const uint8_t *bytes, size_t len, size_t time_len, block *out,
				 stepbus_error *err)
{
	if (len < HEADER_LEN || memcmp(bytes, "TZif", 4) != 0)
		return refuse(err, "the bytes are no TZif");
	*out = (block){
		.version = (char)bytes[4],
		.utc_count = read_32(bytes + 20),
		.standard_count = read_32(bytes + 24),
		.leap_count = read_32(bytes + 28),
		.time_count = read_32(bytes + 32),
		.type_count = read_32(bytes + 36),
		.char_count = read_32(bytes + 40),
		.time_len = time_len,
	};
	if (block_len(out) > len - HEADER_LEN)
		return refuse(err, "the TZif is cut off");
	out->times = bytes + HEADER_LEN;
	out->types_of = out->times + out->time_count * time_len;
	out->types = out->types_of + out->time_count;
	out->end = out->times + block_len(out);
	return STEPBUS_OK;
}

static int32_t type_offset_s(const block *b, uint32_t type)
{
	return (int32_t)read_32(b->types + (size_t)type * TYPE_LEN);
}

static stepbus_status check_types(const block *b, stepbus_error *err)
{
	if (b->leap_count > 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the TZif counts leap seconds: take the zone without \"right/\"");
	if (b->type_count < 1 || b->type_count > TYPE_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the TZif has %u local time types: 1 to %d "
			       "are allowed",
			       b->type_count, TYPE_COUNT_MAX);
	for (uint32_t i = 0; i < b->type_count; i++)
		if (type_offset_s(b, i) < OFFSET_MIN_S || type_offset_s(b, i) > OFFSET_MAX_S)
			return sb_fail(err, STEPBUS_EINVAL,
				       "the TZif has a local time %d s from UTC: %d to %d is "
				       "allowed",
				       type_offset_s(b, i), OFFSET_MIN_S, OFFSET_MAX_S);
	return STEPBUS_OK;
}

/* Keeps the changes that change something. */
static stepbus_status read_changes(const block *b, sb_zone *zone, stepbus_error *err)
{
	int32_t offset_s = type_offset_s(b, 0);
	int64_t last_s = INT64_MIN;

	zone->offset_s = offset_s;
	for (uint32_t i = 0; i < b->time_count; i++) {
		int64_t at_s = read_time(b->times + i * b->time_len, b->time_len);

		if (at_s <= last_s)
			return refuse(err, "the times of the TZif do not ascend");
		if (at_s < -TIME_MAX_S || at_s > TIME_MAX_S)
			return refuse(err, "the TZif has a time past 2^59 s");
		if (b->types_of[i] >= b->type_count)
			return sb_fail(err, STEPBUS_EINVAL, "the TZif has no local time type %u",
				       b->types_of[i]);
		last_s = at_s;
		if (type_offset_s(b, b->types_of[i]) == offset_s)
			continue;
		offset_s = type_offset_s(b, b->types_of[i]);
		zone->changes[zone->count++] = (change){ at_s, offset_s };
	}
	zone->rule_from_s = last_s;
	return STEPBUS_OK;
}

/* The rule holds from the last change on; where it differs from that, it is believed. */
static void join_rule(sb_zone *zone)
{
	int64_t from_s = zone->rule_from_s;
	int32_t offset_s;

	zone->has_rule = true;
	if (from_s == INT64_MIN)
		return;
	offset_s = sb_zone_rule_offset_s(&zone->rule, from_s);
	if (zone->count > 0 && zone->changes[zone->count - 1].at_s == from_s)
		zone->count--;
	if (offset_s != sb_zone_offset_s(zone, from_s - 1))
		zone->changes[zone->count++] = (change){ from_s, offset_s };
}

/* Between two line feeds; it may be empty. */
static stepbus_status read_rule(const uint8_t *bytes, size_t len, sb_zone *zone, stepbus_error *err)
{
	const uint8_t *end = len > 1 ? memchr(bytes + 1, '\n', len - 1) : NULL;
	sb_slice text;

	if (end == NULL || bytes[0] != '\n')
		return refuse(err, "the TZif has no rule at its end");
	text = sb_slice_of((const char *)bytes + 1, (size_t)(end - bytes) - 1);
	if (text.len == 0)
		return STEPBUS_OK;
	if (text.len > RULE_LEN_MAX || !sb_zone_rule_parse(text, &zone->rule))
		return refuse(err, "the TZif has a rule that cannot be read");
	join_rule(zone);
	return STEPBUS_OK;
}

static stepbus_status read_zone(const block *b, const uint8_t *end, sb_zone *zone,
				stepbus_error *err)
{
	stepbus_status status = read_changes(b, zone, err);

	if (status != STEPBUS_OK || b->time_len == 4)
		return status;
	return read_rule(b->end, (size_t)(end - b->end), zone, err);
}

stepbus_status sb_zone_parse(const stepbus_host *host, const void *bytes, size_t len, sb_zone **out,
			     stepbus_error *err)
{
	const uint8_t *end = (const uint8_t *)bytes + len;
	stepbus_status status;
	sb_zone *zone;
	block b;

	*out = NULL;
	if (len > SB_ZONE_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "the TZif has %zu bytes: %d are allowed", len,
			       SB_ZONE_LEN_MAX);
	status = read_block(bytes, len, 4, &b, err);
	/* From version 2 on the same follows once more, with 64 bits. */
	if (status == STEPBUS_OK && b.version != '\0')
		status = read_block(b.end, (size_t)(end - b.end), 8, &b, err);
	if (status == STEPBUS_OK)
		status = check_types(&b, err);
	if (status != STEPBUS_OK)
		return status;
	zone = sb_alloc(host, sizeof *zone + ((size_t)b.time_count + 1) * sizeof *zone->changes);
	if (zone == NULL)
		return sb_fail_memory(err, "read a time zone");
	status = read_zone(&b, end, zone, err);
	if (status == STEPBUS_OK)
		*out = zone;
	else
		sb_zone_free(host, zone);
	return status;
}

void sb_zone_free(const stepbus_host *host, sb_zone *zone)
{
	sb_release(host, zone);
}

/* How many changes there are up to an instant. */
static size_t count_until(const sb_zone *zone, int64_t at_s)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->changes[middle].at_s <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t sb_zone_offset_s(const sb_zone *zone, int64_t at_s)
{
	size_t count;

	if (zone == NULL)
		return 0;
	if (zone->has_rule && at_s >= zone->rule_from_s)
		return sb_zone_rule_offset_s(&zone->rule, at_s);
	count = count_until(zone, at_s);
	return count > 0 ? zone->changes[count - 1].offset_s : zone->offset_s;
}

bool sb_zone_next(const sb_zone *zone, int64_t at_s, int64_t *next_s)
{
	size_t count = zone != NULL ? count_until(zone, at_s) : 0;

	if (zone == NULL)
		return false;
	if (count < zone->count) {
		*next_s = zone->changes[count].at_s;
		return true;
	}
	if (!zone->has_rule)
		return false;
	return sb_zone_rule_next(&zone->rule, at_s > zone->rule_from_s ? at_s : zone->rule_from_s,
				 next_s);
}

/* Walks over the parts of even time that are less than a day and some hours away. */
void sb_zone_find(const sb_zone *zone, int64_t local_s, sb_zone_found *out)
{
	int64_t begin_s = local_s - OFFSET_MAX_S - 1;
	bool is_skipped = false;

	*out = (sb_zone_found){ 0 };
	while (begin_s <= local_s - OFFSET_MIN_S) {
		int64_t at_s = local_s - sb_zone_offset_s(zone, begin_s), end_s;

		if (!sb_zone_next(zone, begin_s, &end_s))
			end_s = INT64_MAX;
		/* It may be shown later all the same, where the clocks are soon set back. */
		if (at_s < begin_s && out->times == SB_ZONE_NEVER && !is_skipped) {
			out->first_s = out->last_s = begin_s;
			is_skipped = true;
		}
		if (at_s >= begin_s && at_s < end_s) {
			if (out->times == SB_ZONE_NEVER)
				out->first_s = at_s;
			out->last_s = at_s;
			out->times = out->times == SB_ZONE_NEVER ? SB_ZONE_ONCE : SB_ZONE_TWICE;
		}
		begin_s = end_s;
	}
}
