/* SPDX-License-Identifier: MIT */
#include "torture/kill/points.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FD_MAX = 1024, IGNORED = POINT_FILE_COUNT, LINE_LEN = 1024 };

static _Atomic(uint8_t) files[FD_MAX];
static point_place *own_place;
static int record_file = -1;

static const char *const call_names[POINT_CALL_COUNT] = {
	[POINT_OPEN] = "open",   [POINT_CLOSE] = "close", [POINT_READ] = "read",
	[POINT_WRITE] = "write", [POINT_SYNC] = "sync",   [POINT_TRUNCATE] = "truncate",
	[POINT_LOCK] = "lock",   [POINT_MAP] = "map",     [POINT_UNLINK] = "unlink",
	[POINT_FUTEX] = "futex",
};

static const char *const file_names[POINT_FILE_COUNT] = {
	[POINT_NO_FILE] = "-",   [POINT_DATABASE] = "db", [POINT_WAL] = "wal",
	[POINT_SHM] = "shm",     [POINT_WAKE] = "wake",   [POINT_STARTED] = "started",
	[POINT_OTHER] = "other",
};

point_place *points_make(const char *page_path)
{
	const size_t len = POINT_PLACE_COUNT * sizeof(point_place);
	int fd = open(page_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *page;

	if (fd < 0 || ftruncate(fd, (off_t)len) != 0)
		abort();
	page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		abort();
	return page;
}

void points_leave(point_place *page)
{
	(void)munmap(page, POINT_PLACE_COUNT * sizeof *page);
}

void points_join(const char *page_path, const char *record_path, int place)
{
	void *frames[2];
	point_place *page = points_make(page_path);

	/* Loads what it needs now, not at the point. */
	(void)backtrace(frames, 2);
	record_file = open(record_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (record_file < 0)
		abort();
	if (record_file < FD_MAX)
		atomic_store(&files[record_file], IGNORED);
	own_place = &page[place];
}

void points_enter(uint32_t phase)
{
	if (own_place != NULL)
		atomic_store(&own_place->phase, phase);
}

void points_blame(uint32_t cause)
{
	if (own_place != NULL)
		atomic_store(&own_place->cause, cause);
}

static bool has_end(const char *path, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && memcmp(path + len - end_len, end, end_len) == 0;
}

void points_note_opened(int fd, const char *path)
{
	size_t len = strlen(path);
	int file = POINT_OTHER;

	if (fd < 0 || fd >= FD_MAX)
		return;
	if (has_end(path, len, "/log"))
		file = IGNORED;
	else if (has_end(path, len, ".db"))
		file = POINT_DATABASE;
	else if (has_end(path, len, "-wal"))
		file = POINT_WAL;
	else if (has_end(path, len, "-shm"))
		file = POINT_SHM;
	else if (has_end(path, len, "-wake"))
		file = POINT_WAKE;
	else if (strstr(path, "-started-") != NULL)
		file = POINT_STARTED;
	atomic_store(&files[fd], (uint8_t)file);
}

void points_note_closed(int fd)
{
	if (fd >= 0 && fd < FD_MAX)
		atomic_store(&files[fd], POINT_OTHER);
}

/* The stack, as offsets: 'p' in this program, where the library is too, 's' in SQLite, 'o' elsewhere. */
static size_t write_stack(char *line, size_t len)
{
	void *frames[POINT_FRAMES_MAX + 3];
	int count = backtrace(frames, POINT_FRAMES_MAX + 3);
	size_t at = 0;

	for (int i = 3; i < count && at + 24 < len; i++) {
		Dl_info info = { 0 };
		char where = 'o';

		if (dladdr(frames[i], &info) == 0 || info.dli_fname == NULL)
			continue;
		if (strstr(info.dli_fname, "sqlite3") != NULL)
			where = 's';
		else if (strstr(info.dli_fname, ".so") == NULL)
			where = 'p';
		at += (size_t)snprintf(line + at, len - at, " %c%zx", where,
				       (size_t)((char *)frames[i] - (char *)info.dli_fbase));
	}
	return at;
}

static __attribute__((noinline)) void strike(point_place *place, point_call call, int file,
					     bool is_done)
{
	char line[LINE_LEN];
	int number = atomic_load(&place->signal);
	size_t len = (size_t)snprintf(line, sizeof line, "%d %s %s %s %u", number, call_names[call],
				      file_names[file], is_done ? "behind" : "before",
				      atomic_load(&place->phase));

	len += write_stack(line + len, sizeof line - len - 1);
	line[len++] = '\n';
	if (write(record_file, line, len) != (ssize_t)len)
		abort();
	if (number == SIGKILL)
		atomic_store(&place->cause, POINT_CAUSE_POINT);
	(void)kill(getpid(), number);
}

void points_pass(point_call call, int fd, bool is_done)
{
	point_place *place = own_place;
	int file = fd >= 0 && fd < FD_MAX ? atomic_load(&files[fd]) : POINT_NO_FILE;

	if (place == NULL || file == IGNORED)
		return;
	if (!is_done)
		atomic_fetch_add_explicit(&place->passed, 1, memory_order_relaxed);
	if (atomic_load_explicit(&place->is_armed, memory_order_acquire) == 0 ||
	    (atomic_load(&place->calls) >> call & 1) == 0)
		return;
	if (atomic_fetch_sub(&place->countdown, 1) != 1)
		return;
	atomic_store(&place->is_armed, 0);
	strike(place, call, file, is_done);
}
