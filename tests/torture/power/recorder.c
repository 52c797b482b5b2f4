/* SPDX-License-Identifier: MIT */
#include "torture/power/recorder.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/thin_vfs.h"

enum { PATH_ROOM = 512 };

/* How SQLite sees a file: with methods of ours, and the real one behind. */
typedef struct seen_file {
	test_thin_file thin;
	int which; /* FILE_…; FILE_COUNT: none of ours */
} seen_file;

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	int (*open_directory)(const char *path, int *out);
	record *to; /* NULL: nothing is recorded */
	char path[PATH_ROOM];
	unsigned flags;
	bool is_there[FILE_COUNT];
	_Atomic(int) syncs_left; /* until one fails */
	_Atomic(bool) has_failed;
} recorder;

static const char *const endings[FILE_COUNT] = { "", "-wal", "-journal" };

static int which_of(const char *name)
{
	size_t len = strlen(recorder.path);

	if (recorder.to == NULL || name == NULL || strncmp(name, recorder.path, len) != 0)
		return FILE_COUNT;
	for (int i = 0; i < FILE_COUNT; i++)
		if (strcmp(name + len, endings[i]) == 0)
			return i;
	return FILE_COUNT;
}

static void note(op what, const void *bytes)
{
	if (recorder.to != NULL)
		record_add(recorder.to, what, bytes);
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	int which = ((seen_file *)file)->which;
	int code = test_thin_methods.xWrite(file, data, len, at);

	if (code == SQLITE_OK && which < FILE_COUNT)
		note((op){ .kind = OP_WRITE, .file = which, .at = at, .len = len }, data);
	return code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	int which = ((seen_file *)file)->which;
	int code = test_thin_methods.xTruncate(file, len);

	if (code == SQLITE_OK && which < FILE_COUNT)
		note((op){ .kind = OP_TRUNCATE, .file = which, .at = len }, NULL);
	return code;
}

static bool is_sync_to_fail(void)
{
	if (atomic_load(&recorder.syncs_left) == 0 ||
	    atomic_fetch_sub(&recorder.syncs_left, 1) != 1)
		return false;
	atomic_store(&recorder.has_failed, true);
	return true;
}

static int sync_file(sqlite3_file *file, int flags)
{
	int which = ((seen_file *)file)->which;
	int64_t covered;
	int code;

	if (which == FILE_COUNT)
		return test_thin_methods.xSync(file, flags);
	covered = (int64_t)record_now(recorder.to);
	if (is_sync_to_fail()) {
		note((op){ .kind = OP_SYNC_FAILED, .file = which, .at = covered }, NULL);
		return SQLITE_IOERR_FSYNC;
	}
	code = test_thin_methods.xSync(file, flags);
	if (code == SQLITE_OK && (recorder.flags & RECORDER_DEAF) == 0)
		note((op){ .kind = OP_SYNC, .file = which, .at = covered }, NULL);
	return code;
}

/* What SQLite calls when it is about to sync a directory, and for nothing else. */
static int open_directory(const char *path, int *out)
{
	int code = recorder.open_directory(path, out);

	if (code == SQLITE_OK && which_of(path) < FILE_COUNT &&
	    (recorder.flags & RECORDER_DEAF) == 0)
		note((op){ .kind = OP_SYNC_DIRECTORY }, NULL);
	return code;
}

static sqlite3_io_methods methods;

static void replace_methods(void)
{
	methods = test_thin_methods;
	methods.xWrite = write_file;
	methods.xTruncate = truncate_file;
	methods.xSync = sync_file;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *out_flags)
{
	seen_file *seen = (seen_file *)file;
	int code;

	(void)vfs;
	memset(seen, 0, sizeof *seen);
	seen->thin.real = (sqlite3_file *)(seen + 1);
	seen->which = which_of(name);
	code = recorder.real->xOpen(recorder.real, name, seen->thin.real, flags, out_flags);
	if (seen->thin.real->pMethods != NULL)
		seen->thin.seen = &methods;
	/* The database itself the library makes before SQLite opens it. */
	if (code == SQLITE_OK && seen->which < FILE_COUNT && !recorder.is_there[seen->which]) {
		recorder.is_there[seen->which] = true;
		note((op){ .kind = OP_CREATE, .file = seen->which }, NULL);
	}
	return code;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int is_synced)
{
	int which = which_of(name);

	(void)vfs;
	if (which < FILE_COUNT && recorder.is_there[which]) {
		recorder.is_there[which] = false;
		note((op){ .kind = OP_DELETE, .file = which }, NULL);
	}
	return recorder.real->xDelete(recorder.real, name, is_synced);
}

void recorder_install(void)
{
	sqlite3_syscall_ptr old;

	recorder.real = sqlite3_vfs_find(NULL);
	old = recorder.real->xGetSystemCall(recorder.real, "openDirectory");
	memcpy(&recorder.open_directory, &old, sizeof old);
	(void)recorder.real->xSetSystemCall(recorder.real, "openDirectory",
					    (sqlite3_syscall_ptr)open_directory);
	recorder.vfs = *recorder.real;
	recorder.vfs.zName = "recorder";
	recorder.vfs.pNext = NULL;
	recorder.vfs.szOsFile = (int)sizeof(seen_file) + recorder.real->szOsFile;
	replace_methods();
	recorder.vfs.xOpen = open_file;
	recorder.vfs.xDelete = delete_file;
	(void)sqlite3_vfs_register(&recorder.vfs, 1);
}

static void take_in(record *to, int which)
{
	char path[PATH_ROOM + 16];
	FILE *file;
	long len;

	(void)snprintf(path, sizeof path, "%s%s", recorder.path, endings[which]);
	recorder.is_there[which] = false;
	file = fopen(path, "rb");
	if (file == NULL)
		return;
	(void)fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	to->begin[which] = malloc((size_t)len + 1);
	if (to->begin[which] != NULL &&
	    fread(to->begin[which], 1, (size_t)len, file) == (size_t)len)
		to->begin_len[which] = len;
	recorder.is_there[which] = true;
	(void)fclose(file);
}

void recorder_begin(record *to, const char *path, unsigned flags)
{
	(void)snprintf(recorder.path, sizeof recorder.path, "%s", path);
	recorder.flags = flags;
	for (int i = 0; i < FILE_COUNT; i++)
		take_in(to, i);
	recorder_fail_sync(0);
	recorder.to = to;
}

void recorder_end(void)
{
	recorder.to = NULL;
}

void recorder_fail_sync(int nth)
{
	atomic_store(&recorder.has_failed, false);
	atomic_store(&recorder.syncs_left, nth);
}

bool recorder_has_failed(void)
{
	return atomic_load(&recorder.has_failed);
}
