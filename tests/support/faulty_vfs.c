/* SPDX-License-Identifier: MIT */
#include "support/faulty_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "support/cmocka.h"

/* How SQLite sees a file: with methods of ours, and the real one behind. */
typedef struct faulty_file {
	const sqlite3_io_methods *seen; /* what sqlite3_file begins with */
	sqlite3_file *real;             /* behind this struct */
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

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((faulty_file *)file)->real;
}

static int close_file(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	int code = fault_of(TEST_FAULT_READ);

	return code != SQLITE_OK ? code :
				   real_of(file)->pMethods->xRead(real_of(file), data, len, at);
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	int code = fault_of(TEST_FAULT_WRITE);

	return code != SQLITE_OK ? code :
				   real_of(file)->pMethods->xWrite(real_of(file), data, len, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int sync_file(sqlite3_file *file, int flags)
{
	int code = fault_of(TEST_FAULT_SYNC);

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	int code = fault_of(TEST_FAULT_READ);

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xFileSize(real_of(file), len);
}

static int lock_file(sqlite3_file *file, int level)
{
	int code = fault_of(TEST_FAULT_LOCK);

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int control_file(sqlite3_file *file, int what, void *value)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), what, value);
}

static int sector_of(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int traits_of(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	int code = fault_of(TEST_FAULT_SHM);

	if (code != SQLITE_OK)
		return code;
	return real_of(file)->pMethods->xShmMap(real_of(file), page, len, extend, out);
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	/* Only what takes a lock may fail: SQLite does not look at what becomes of an unlock. */
	int code = (flags & SQLITE_SHM_LOCK) != 0 ? fault_of(TEST_FAULT_SHM) : SQLITE_OK;

	if (code != SQLITE_OK)
		return code;
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void fence_shm(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int unmap_shm(sqlite3_file *file, int is_to_go)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), is_to_go);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = size_of_file,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_lock,
	.xFileControl = control_file,
	.xSectorSize = sector_of,
	.xDeviceCharacteristics = traits_of,
	.xShmMap = map_shm,
	.xShmLock = lock_shm,
	.xShmBarrier = fence_shm,
	.xShmUnmap = unmap_shm,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *out_flags)
{
	faulty_file *faulty = (faulty_file *)file;
	int code;

	(void)vfs;
	memset(faulty, 0, sizeof *faulty);
	faulty->real = (sqlite3_file *)(faulty + 1);
	code = faults.real->xOpen(faults.real, name, faulty->real, flags, out_flags);
	if (faulty->real->pMethods != NULL)
		faulty->seen = &methods;
	return code;
}

void test_faults_install(void)
{
	faults.real = sqlite3_vfs_find(NULL);
	faults.vfs = *faults.real;
	faults.vfs.zName = "faulty";
	faults.vfs.pNext = NULL;
	faults.vfs.szOsFile = (int)sizeof(faulty_file) + faults.real->szOsFile;
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
