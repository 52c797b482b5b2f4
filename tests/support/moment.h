/* SPDX-License-Identifier: MIT */
/* Points in time as tests write them: "2026-03-29 01:00:00", in UTC. */
#ifndef TESTS_SUPPORT_MOMENT_H
#define TESTS_SUPPORT_MOMENT_H

#include <stdint.h>

#include "base/clock.h"
#include "handlers/cron_expression.h"

int64_t test_moment(const char *text);
void test_moment_write(int64_t time_us, char text[SB_CLOCK_TEXT_LEN]);
/* Fails the test where text is no cron expression. */
sb_cron_expression test_cron(const char *text);

#endif
