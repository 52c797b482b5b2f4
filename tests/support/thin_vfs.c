/* SPDX-License-Identifier: MIT */
#include "support/thin_vfs.h"

sqlite3_file *test_thin_real(sqlite3_file *file)
{
	return ((test_thin_file *)file)->real;
}

static int close_file(sqlite3_file *file)
{
	return test_thin_real(file)->pMethods->xClose(test_thin_real(file));
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	return test_thin_real(file)->pMethods->xRead(test_thin_real(file), data, len, at);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	return test_thin_real(file)->pMethods->xFileSize(test_thin_real(file), len);
}

static int lock_file(sqlite3_file *file, int level)
{
	return test_thin_real(file)->pMethods->xLock(test_thin_real(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
	return test_thin_real(file)->pMethods->xUnlock(test_thin_real(file), level);
}

static int check_lock(sqlite3_file *file, int *out)
{
	return test_thin_real(file)->pMethods->xCheckReservedLock(test_thin_real(file), out);
}

static int control_file(sqlite3_file *file, int what, void *value)
{
	return test_thin_real(file)->pMethods->xFileControl(test_thin_real(file), what, value);
}

static int sector_of(sqlite3_file *file)
{
	return test_thin_real(file)->pMethods->xSectorSize(test_thin_real(file));
}

static int traits_of(sqlite3_file *file)
{
	return test_thin_real(file)->pMethods->xDeviceCharacteristics(test_thin_real(file));
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	return test_thin_real(file)->pMethods->xShmMap(test_thin_real(file), page, len, extend,
						       out);
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	return test_thin_real(file)->pMethods->xShmLock(test_thin_real(file), offset, count, flags);
}

static void fence_shm(sqlite3_file *file)
{
	test_thin_real(file)->pMethods->xShmBarrier(test_thin_real(file));
}

static int unmap_shm(sqlite3_file *file, int is_to_go)
{
	return test_thin_real(file)->pMethods->xShmUnmap(test_thin_real(file), is_to_go);
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	return test_thin_real(file)->pMethods->xWrite(test_thin_real(file), data, len, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	return test_thin_real(file)->pMethods->xTruncate(test_thin_real(file), len);
}

static int sync_file(sqlite3_file *file, int flags)
{
	return test_thin_real(file)->pMethods->xSync(test_thin_real(file), flags);
}

const sqlite3_io_methods test_thin_methods = {
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
