/* SPDX-License-Identifier: MIT */
#include "support/moment.h"

#include <stdlib.h>

#include "handlers/civil.h"
#include "support/cmocka.h"

int64_t test_moment(const char *text)
{
	int part[6];
	char *next = NULL;

	for (int i = 0; i < 6; i++) {
		part[i] = (int)strtol(text, &next, 10);
		text = next + 1;
	}
	return (sb_civil_days(part[0], part[1], part[2]) * SB_DAY_S + part[3] * SB_HOUR_S +
		part[4] * SB_MINUTE_S + part[5]) *
	       1000000;
}

void test_moment_write(int64_t time_us, char text[SB_CLOCK_TEXT_LEN])
{
	sb_clock_format(time_us, text);
	text[10] = ' ';
	text[19] = '\0';
}

sb_cron_expression test_cron(const char *text)
{
	stepbus_error err = { .size = sizeof err };
	sb_cron_expression expression;

	if (sb_cron_parse(sb_slice_z(text), &expression, &err) != STEPBUS_OK)
		fail_msg("%s", err.message);
	return expression;
}
