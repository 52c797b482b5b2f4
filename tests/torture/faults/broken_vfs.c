/* SPDX-License-Identifier: MIT */
#include "torture/faults/broken_vfs.h"

#include <stdatomic.h>
#include <string.h>

#include "support/thin_vfs.h"

const broken_way broken_ways[] = {
	{ BROKEN_OPEN, SQLITE_CANTOPEN, false, false, "xOpen: CANTOPEN" },
	{ BROKEN_OPEN, SQLITE_IOERR, false, false, "xOpen: IOERR" },
	{ BROKEN_READ, SQLITE_IOERR_READ, false, false, "xRead: IOERR_READ" },
	{ BROKEN_READ, SQLITE_IOERR_READ, true, false, "xRead: half of it, then IOERR_READ" },
	{ BROKEN_READ, SQLITE_IOERR_NOMEM, false, true, "xRead: IOERR_NOMEM" },
	{ BROKEN_WRITE, SQLITE_IOERR_WRITE, false, false, "xWrite: IOERR_WRITE" },
	{ BROKEN_WRITE, SQLITE_IOERR_WRITE, true, false, "xWrite: half of it, then IOERR_WRITE" },
	{ BROKEN_WRITE, SQLITE_FULL, false, true, "xWrite: FULL" },
	{ BROKEN_WRITE, SQLITE_FULL, true, true, "xWrite: half of it, then FULL" },
	{ BROKEN_SYNC, SQLITE_IOERR_FSYNC, false, false, "xSync: IOERR_FSYNC" },
	{ BROKEN_TRUNCATE, SQLITE_IOERR_TRUNCATE, false, false, "xTruncate: IOERR_TRUNCATE" },
	{ BROKEN_SIZE, SQLITE_IOERR_FSTAT, false, false, "xFileSize: IOERR_FSTAT" },
	{ BROKEN_LOCK, SQLITE_BUSY, false, true, "xLock: BUSY" },
	{ BROKEN_LOCK, SQLITE_IOERR_LOCK, false, false, "xLock: IOERR_LOCK" },
	{ BROKEN_SHM_MAP, SQLITE_IOERR_SHMMAP, false, false, "xShmMap: IOERR_SHMMAP" },
	/* Behind the frames of a commit it is too late to take them back. */
	{ BROKEN_SHM_MAP, SQLITE_IOERR_NOMEM, false, false, "xShmMap: IOERR_NOMEM" },
	{ BROKEN_SHM_LOCK, SQLITE_BUSY, false, true, "xShmLock: BUSY" },
	{ BROKEN_SHM_LOCK, SQLITE_IOERR_SHMLOCK, false, false, "xShmLock: IOERR_SHMLOCK" },
	{ BROKEN_DELETE, SQLITE_IOERR_DELETE, false, false, "xDelete: IOERR_DELETE" },
	{ BROKEN_ACCESS, SQLITE_IOERR_ACCESS, false, false, "xAccess: IOERR_ACCESS" },
};
const int broken_way_count = sizeof broken_ways / sizeof *broken_ways;

/* How SQLite sees a file: with methods of ours, and the real one behind. */
typedef struct broken_file {
	test_thin_file thin;
	bool is_log;
} broken_file;

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	_Atomic(const broken_way *) way; /* NULL: nothing fails */
	_Atomic(int) left;
	_Atomic(bool) is_lasting;
	_Atomic(bool) is_lying;
	_Atomic(bool) has_sync_failed;
	_Atomic(uint32_t) failures;
	_Atomic(uint32_t) asked[BROKEN_KIND_COUNT];
	_Atomic(int) open_count;
} disk;

/* NULL: it does not fail. */
static const broken_way *fault_of(broken_kind kind)
{
	const broken_way *way = atomic_load(&disk.way);
	int left;

	atomic_fetch_add(&disk.asked[kind], 1);
	if (way == NULL || way->kind != kind)
		return NULL;
	left = atomic_fetch_sub(&disk.left, 1) - 1;
	if (left > 0 || (left < 0 && !atomic_load(&disk.is_lasting)))
		return NULL;
	atomic_fetch_add(&disk.failures, 1);
	if (kind == BROKEN_SYNC)
		atomic_store(&disk.has_sync_failed, true);
	return way;
}

static int close_file(sqlite3_file *file)
{
	atomic_fetch_sub(&disk.open_count, 1);
	return test_thin_methods.xClose(file);
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	const broken_way *way = fault_of(BROKEN_READ);

	if (way == NULL)
		return test_thin_methods.xRead(file, data, len, at);
	if (way->is_partial)
		(void)test_thin_methods.xRead(file, data, len / 2, at);
	return way->code;
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	const broken_way *way = fault_of(BROKEN_WRITE);

	if (way == NULL && atomic_load(&disk.is_lying) && ((broken_file *)file)->is_log)
		return SQLITE_OK;
	if (way == NULL)
		return test_thin_methods.xWrite(file, data, len, at);
	if (way->is_partial)
		(void)test_thin_methods.xWrite(file, data, len / 2, at);
	return way->code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	const broken_way *way = fault_of(BROKEN_TRUNCATE);

	return way != NULL ? way->code : test_thin_methods.xTruncate(file, len);
}

static int sync_file(sqlite3_file *file, int flags)
{
	const broken_way *way = fault_of(BROKEN_SYNC);

	return way != NULL ? way->code : test_thin_methods.xSync(file, flags);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	const broken_way *way = fault_of(BROKEN_SIZE);

	return way != NULL ? way->code : test_thin_methods.xFileSize(file, len);
}

static int lock_file(sqlite3_file *file, int level)
{
	const broken_way *way = fault_of(BROKEN_LOCK);

	return way != NULL ? way->code : test_thin_methods.xLock(file, level);
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	const broken_way *way = fault_of(BROKEN_SHM_MAP);

	if (way != NULL)
		return way->code;
	return test_thin_methods.xShmMap(file, page, len, extend, out);
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	/* Only what takes a lock may fail: SQLite does not look at what becomes of an unlock. */
	bool is_lock = (flags & SQLITE_SHM_LOCK) != 0;
	const broken_way *way = is_lock ? fault_of(BROKEN_SHM_LOCK) : NULL;

	/* The lock to write is what another process may have for long; of others SQLite sleeps 10 s. */
	if (way != NULL &&
	    (way->code != SQLITE_BUSY || !atomic_load(&disk.is_lasting) || offset == 0))
		return way->code;
	return test_thin_methods.xShmLock(file, offset, count, flags);
}

static sqlite3_io_methods methods;

static void replace_methods(void)
{
	methods = test_thin_methods;
	methods.xClose = close_file;
	methods.xRead = read_file;
	methods.xWrite = write_file;
	methods.xTruncate = truncate_file;
	methods.xSync = sync_file;
	methods.xFileSize = size_of_file;
	methods.xLock = lock_file;
	methods.xShmMap = map_shm;
	methods.xShmLock = lock_shm;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *out_flags)
{
	broken_file *broken = (broken_file *)file;
	const broken_way *way = fault_of(BROKEN_OPEN);
	int code;

	(void)vfs;
	memset(broken, 0, sizeof *broken);
	if (way != NULL)
		return way->code;
	broken->thin.real = (sqlite3_file *)(broken + 1);
	broken->is_log = (flags & SQLITE_OPEN_WAL) != 0;
	code = disk.real->xOpen(disk.real, name, broken->thin.real, flags, out_flags);
	if (broken->thin.real->pMethods == NULL)
		return code;
	broken->thin.seen = &methods;
	atomic_fetch_add(&disk.open_count, 1);
	return code;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int is_directory_synced)
{
	const broken_way *way = fault_of(BROKEN_DELETE);

	(void)vfs;
	return way != NULL ? way->code : disk.real->xDelete(disk.real, name, is_directory_synced);
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	const broken_way *way = fault_of(BROKEN_ACCESS);

	(void)vfs;
	return way != NULL ? way->code : disk.real->xAccess(disk.real, name, flags, out);
}

bool broken_install(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "broken";
	disk.vfs.pNext = NULL;
	disk.vfs.szOsFile = (int)sizeof(broken_file) + disk.real->szOsFile;
	replace_methods();
	disk.vfs.xOpen = open_file;
	disk.vfs.xDelete = delete_file;
	disk.vfs.xAccess = access_file;
	return sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK;
}

void broken_plan(const broken_way *way, int nth, bool is_lasting)
{
	broken_mend();
	atomic_store(&disk.left, nth);
	atomic_store(&disk.is_lasting, is_lasting);
	atomic_store(&disk.failures, 0);
	atomic_store(&disk.has_sync_failed, false);
	atomic_store(&disk.way, way);
}

void broken_mend(void)
{
	atomic_store(&disk.way, NULL);
}

void broken_lie(bool is_lying)
{
	atomic_store(&disk.is_lying, is_lying);
}

uint32_t broken_failure_count(void)
{
	return atomic_load(&disk.failures);
}

bool broken_has_sync_failed(void)
{
	return atomic_load(&disk.has_sync_failed);
}

uint32_t broken_asked_count(broken_kind kind)
{
	return atomic_load(&disk.asked[kind]);
}

int broken_open_count(void)
{
	return atomic_load(&disk.open_count);
}
