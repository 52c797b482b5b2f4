/* SPDX-License-Identifier: MIT */
#include "support/tzif.h"

#include <string.h>

#include "support/cmocka.h"

static const test_zone zones[] = {
	{ "Berlin", 3600, { { 0, 0 } }, "CET-1CEST,M3.5.0,M10.5.0/3" },
	{ "New_York",
	  -18000,
	  { { 1741503600, -14400 }, { 1762063200, -18000 } },
	  "EST5EDT,M3.2.0,M11.1.0" },
	{ "Kathmandu", 19800, { { 504901800, 20700 } }, "<+0545>-5:45" },
	{ "Lord_Howe", 37800, { { 0, 0 } }, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" },
	{ "Sao_Paulo",
	  -10800,
	  { { 1508036400, -7200 },
	    { 1518919200, -10800 },
	    { 1541300400, -7200 },
	    { 1550368800, -10800 } },
	  "<-03>3" },
	{ "Casablanca",
	  3600,
	  { { 1740276000, 0 },
	    { 1743904800, 3600 },
	    { 1771120800, 0 },
	    { 1774144800, 3600 },
	    { 1801965600, 0 },
	    { 1804989600, 3600 } },
	  "<+01>-1" },
	/* It left out 30 December 2011. */
	{ "Apia", -39600, { { 1316872800, -36000 }, { 1325239200, 50400 } }, NULL },
	/* Nowhere: clocks that skip three hours and are set back four, an hour later. */
	{ "Fickle", 0, { { 1767225600, 10800 }, { 1767229200, -3600 } }, NULL },
	{ "Dublin", 0, { { 0, 0 } }, "IST-1GMT0,M10.5.0,M3.5.0/1" },
};

const test_zone *test_zone_named(const char *name)
{
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (strcmp(zones[i].name, name) == 0)
			return &zones[i];
	fail_msg("there is no test zone '%s'", name);
	return NULL;
}

typedef struct writer {
	uint8_t *bytes;
	size_t len;
} writer;

static void write_number(writer *w, int64_t number, size_t len)
{
	for (size_t i = len; i-- > 0;)
		w->bytes[w->len++] = (uint8_t)((uint64_t)number >> (8 * i));
}

static void write_block(writer *w, const test_zone *zone, size_t time_len)
{
	size_t count = 0;

	while (count < TEST_CHANGE_COUNT_MAX && zone->changes[count].at_s != 0)
		count++;
	memcpy(w->bytes + w->len, "TZif", 4);
	w->bytes[w->len + 4] = zone->rule != NULL ? '2' : '\0';
	memset(w->bytes + w->len + 5, 0, 15 + 12);
	w->len += 32;
	write_number(w, (int64_t)count, 4);
	write_number(w, (int64_t)count + 1, 4);
	write_number(w, 4, 4);
	for (size_t i = 0; i < count; i++)
		write_number(w, zone->changes[i].at_s, time_len);
	for (size_t i = 0; i < count; i++)
		write_number(w, (int64_t)i + 1, 1);
	for (size_t i = 0; i <= count; i++) {
		write_number(w, i == 0 ? zone->offset_s : zone->changes[i - 1].offset_s, 4);
		write_number(w, 0, 2);
	}
	memcpy(w->bytes + w->len, "XXX", 4);
	w->len += 4;
}

size_t test_tzif_write(const test_zone *zone, uint8_t bytes[TEST_TZIF_LEN])
{
	writer w = { bytes, 0 };

	write_block(&w, zone, 4);
	if (zone->rule == NULL)
		return w.len;
	write_block(&w, zone, 8);
	w.bytes[w.len++] = '\n';
	memcpy(w.bytes + w.len, zone->rule, strlen(zone->rule));
	w.len += strlen(zone->rule);
	w.bytes[w.len++] = '\n';
	return w.len;
}

sb_zone *test_zone_new(const stepbus_host *host, const char *name)
{
	uint8_t bytes[TEST_TZIF_LEN];
	stepbus_error err;
	sb_zone *zone = NULL;

	if (strcmp(name, "UTC") == 0)
		return NULL;
	err.size = sizeof err;
	if (sb_zone_parse(host, bytes, test_tzif_write(test_zone_named(name), bytes), &zone,
			  &err) != STEPBUS_OK)
		fail_msg("cannot read the test zone '%s': %s", name, err.message);
	return zone;
}
