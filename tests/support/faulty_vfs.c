/* SPDX-License-Identifier: MIT */
#include "support/faulty_vfs.h"

#include <stdatomic.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/thin_vfs.h"

/* How SQLite sees a file: with methods of ours, and the real one behind. */
typedef struct faulty_file {
	test_thin_file thin;
} faulty_file;

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	_Atomic(int) kind;
	_Atomic(int) left;
	_Atomic(int) code;
	_Atomic(bool) is_lasting;
	_Atomic(int) count;
} faults;

static int fault_of(test_fault_kind kind)
{
	int code = atomic_load(&faults.code);
	int left;

	if ((atomic_load(&faults.kind) & (int)kind) == 0 || code == SQLITE_OK)
		return SQLITE_OK;
	left = atomic_fetch_sub(&faults.left, 1) - 1;
	if (left > 0 || (left < 0 && !atomic_load(&faults.is_lasting)))
		return SQLITE_OK;
	atomic_fetch_add(&faults.count, 1);
	return code;
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	int code = fault_of(TEST_FAULT_READ);

	return code != SQLITE_OK ? code : test_thin_methods.xRead(file, data, len, at);
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	int code = fault_of(TEST_FAULT_WRITE);

	return code != SQLITE_OK ? code : test_thin_methods.xWrite(file, data, len, at);
}

static int sync_file(sqlite3_file *file, int flags)
{
	int code = fault_of(TEST_FAULT_SYNC);

	return code != SQLITE_OK ? code : test_thin_methods.xSync(file, flags);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	int code = fault_of(TEST_FAULT_READ);

	return code != SQLITE_OK ? code : test_thin_methods.xFileSize(file, len);
}

static int lock_file(sqlite3_file *file, int level)
{
	int code = fault_of(TEST_FAULT_LOCK);

	return code != SQLITE_OK ? code : test_thin_methods.xLock(file, level);
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	int code = fault_of(TEST_FAULT_SHM);

	if (code != SQLITE_OK)
		return code;
	return test_thin_methods.xShmMap(file, page, len, extend, out);
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	/* Only what takes a lock may fail: SQLite does not look at what becomes of an unlock. */
	int code = (flags & SQLITE_SHM_LOCK) != 0 ? fault_of(TEST_FAULT_SHM) : SQLITE_OK;

	if (code != SQLITE_OK)
		return code;
	return test_thin_methods.xShmLock(file, offset, count, flags);
}

static sqlite3_io_methods methods;

static void replace_methods(void)
{
	methods = test_thin_methods;
	methods.xRead = read_file;
	methods.xWrite = write_file;
	methods.xSync = sync_file;
	methods.xFileSize = size_of_file;
	methods.xLock = lock_file;
	methods.xShmMap = map_shm;
	methods.xShmLock = lock_shm;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *out_flags)
{
	faulty_file *faulty = (faulty_file *)file;
	int code;

	(void)vfs;
	memset(faulty, 0, sizeof *faulty);
	faulty->thin.real = (sqlite3_file *)(faulty + 1);
	code = faults.real->xOpen(faults.real, name, faulty->thin.real, flags, out_flags);
	if (faulty->thin.real->pMethods != NULL)
		faulty->thin.seen = &methods;
	return code;
}

void test_faults_install(void)
{
	faults.real = sqlite3_vfs_find(NULL);
	faults.vfs = *faults.real;
	faults.vfs.zName = "faulty";
	faults.vfs.pNext = NULL;
	faults.vfs.szOsFile = (int)sizeof(faulty_file) + faults.real->szOsFile;
	replace_methods();
	faults.vfs.xOpen = open_file;
	assert_int_equal(sqlite3_vfs_register(&faults.vfs, 1), SQLITE_OK);
}

void test_faults_uninstall(void)
{
	test_faults_clear();
	assert_int_equal(sqlite3_vfs_unregister(&faults.vfs), SQLITE_OK);
}

void test_faults_plan(test_fault_kind kind, int nth, int code, bool is_lasting)
{
	atomic_store(&faults.code, SQLITE_OK);
	atomic_store(&faults.kind, (int)kind);
	atomic_store(&faults.left, nth);
	atomic_store(&faults.is_lasting, is_lasting);
	atomic_store(&faults.count, 0);
	atomic_store(&faults.code, code);
}

void test_faults_clear(void)
{
	atomic_store(&faults.code, SQLITE_OK);
}

int test_faults_count(void)
{
	return atomic_load(&faults.count);
}
