/* SPDX-License-Identifier: MIT */
#include "torture/history/observer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "include/stepbus.h"

static int log_file = -1;
static int32_t own_process;

void observer_open(const char *path, int32_t process)
{
	log_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	own_process = process;
	if (log_file < 0)
		abort();
}

int64_t observer_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * A process that is killed in the middle of a write leaves the part of it that was on the page before.
 * Lines of one length, of which a page holds a whole number, never are on two pages: zeros before the
 * last number fill them up.
 */
static void write_line(const event *e)
{
	char line[OBSERVER_LINE_LEN + 1];
	int len = snprintf(line, sizeof line, "%c %ld %d %ld %ld %ld ", e->kind, e->time_us,
			   e->process, e->a, e->b, e->c);

	(void)snprintf(line + len, sizeof line - (size_t)len, "%0*ld\n",
		       OBSERVER_LINE_LEN - 1 - len, e->d);
	if (write(log_file, line, OBSERVER_LINE_LEN) != OBSERVER_LINE_LEN)
		abort();
}

void observer_note(char kind, int64_t a, int64_t b, int64_t c, int64_t d)
{
	write_line(&(event){ .kind = kind,
			     .time_us = observer_now_us(),
			     .process = own_process,
			     .a = a,
			     .b = b,
			     .c = c,
			     .d = d });
}

void observer_note_stall(int32_t process, int64_t is_on, int64_t is_at_point)
{
	write_line(&(event){ .kind = LOG_NEMESIS,
			     .time_us = observer_now_us(),
			     .process = process,
			     .a = NEMESIS_STALL,
			     .b = is_on,
			     .c = is_at_point });
}

void observer_note_of(int32_t process, char kind, int64_t what)
{
	write_line(&(event){
		.kind = kind, .time_us = observer_now_us(), .process = process, .a = what });
}

void observer_fail(const char *what, int status, const char *message)
{
	(void)fprintf(stderr, "process %d: %s: %s: %s\n", own_process, what,
		      stepbus_status_name(status), message);
	observer_note(LOG_ERROR, status, 0, 0, 0);
}

int64_t observer_id_of(const char *text)
{
	int64_t id = 0;
	int digits = 0;

	for (const char *at = text; at != NULL && *at != '\0' && digits < 12; at++) {
		const char digit[2] = { *at, '\0' };

		if (*at == '-')
			continue;
		id = id * 16 + strtol(digit, NULL, 16);
		digits++;
	}
	return id;
}

int64_t observer_id_of_bytes(const uint8_t id[16])
{
	char text[37];

	(void)stepbus_id_format(id, text, NULL);
	return observer_id_of(text);
}

int64_t observer_digest(const void *data, size_t len)
{
	const unsigned char *at = data;
	uint64_t digest = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ at[i]) * UINT64_C(0x100000001b3);
	return (int64_t)(digest >> 1 | 1);
}
