/* SPDX-License-Identifier: MIT */
#include "torture/history/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "Z 1 1 0 0 0 0" and its end: no line is shorter. */
enum { LINE_LEN_MIN = 14, SHOWN_LEN_MAX = 100 };

typedef struct text {
	const char *at;
	const char *end;
} text;

/* A number behind one blank. */
static bool read_number(text *t, int64_t *out)
{
	bool is_negative;
	uint64_t number = 0;
	const char *first;

	if (t->at >= t->end || *t->at++ != ' ')
		return false;
	is_negative = t->at < t->end && *t->at == '-';
	t->at += is_negative;
	for (first = t->at; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
		if (number > (uint64_t)INT64_MAX / 10)
			return false;
		number = number * 10 + (uint64_t)(*t->at - '0');
	}
	if (t->at == first || number > (uint64_t)INT64_MAX)
		return false;
	*out = is_negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool read_line(text *t, event *e)
{
	int64_t process;

	e->kind = *t->at++;
	if (!read_number(t, &e->time_us) || !read_number(t, &process) || process < INT32_MIN ||
	    process > INT32_MAX)
		return false;
	e->process = (int32_t)process;
	return read_number(t, &e->a) && read_number(t, &e->b) && read_number(t, &e->c) &&
	       read_number(t, &e->d) && t->at < t->end && *t->at++ == '\n';
}

/* The end of a log is torn only where a process was killed while it wrote. */
static bool is_torn(const history *h, const char *line, const char *end)
{
	if (memchr(line, '\n', (size_t)(end - line)) != NULL)
		return false;
	for (size_t i = h->event_count; i-- > 0;)
		if (h->events[i].kind == LOG_KILLED)
			return true;
	return false;
}

static bool read_lines(history *h, const char *path, const char *data, size_t len)
{
	text t = { data, data + len };

	h->event_room = len / LINE_LEN_MIN + 1;
	h->events = malloc(h->event_room * sizeof *h->events);
	if (h->events == NULL)
		abort();
	while (t.at < t.end) {
		const char *line = t.at;

		if (read_line(&t, &h->events[h->event_count])) {
			h->event_count++;
			continue;
		}
		if (is_torn(h, line, t.end))
			break;
		(void)fprintf(stderr, "%s: line %zu is no line of a log: %.*s\n", path,
			      h->event_count + 1,
			      (int)(t.end - line < SHOWN_LEN_MAX ? t.end - line : SHOWN_LEN_MAX),
			      line);
		return false;
	}
	return true;
}

bool history_read_log(history *h, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	char *data = NULL;
	bool is_read = file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode);

	if (is_read && about.st_size > 0) {
		data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
			    file, 0);
		is_read = data != MAP_FAILED;
	}
	if (!is_read)
		(void)fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
	else if (data != NULL)
		is_read = read_lines(h, path, data, (size_t)about.st_size);
	if (data != NULL && data != MAP_FAILED)
		(void)munmap(data, (size_t)about.st_size);
	if (file >= 0)
		(void)close(file);
	return is_read;
}
