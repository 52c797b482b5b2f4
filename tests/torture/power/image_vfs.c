/* SPDX-License-Identifier: MIT */
#include "torture/power/image_vfs.h"

#include <sqlite3.h>
#include <string.h>

enum { SHM_PAGE_LEN = 32768, SHM_PAGE_MAX = 16 };

typedef struct shown_file {
	const sqlite3_io_methods *methods; /* what sqlite3_file begins with */
	int which;
} shown_file;

/* As SQLite's file format describes the beginning of the index of a log. */
typedef struct index_head {
	uint32_t version, unused, change;
	uint8_t is_init, is_big_endian;
	uint16_t page_len;
	uint32_t frame_count, page_count;
	uint32_t checksum_of_frames[2], salt[2], checksum[2];
} index_head;

static struct {
	sqlite3_vfs vfs;
	image *shown;
	int shm_page_count;
	_Alignas(8) uint8_t shm[SHM_PAGE_MAX][SHM_PAGE_LEN];
} shelf;

static const char *const paths[FILE_COUNT] = { IMAGE_VFS_PATH, IMAGE_VFS_PATH "-wal",
					       IMAGE_VFS_PATH "-journal" };

static int which_of(const char *name)
{
	for (int i = 0; name != NULL && i < FILE_COUNT; i++)
		if (strcmp(name, paths[i]) == 0)
			return i;
	return FILE_COUNT;
}

static int which(sqlite3_file *file)
{
	return ((shown_file *)file)->which;
}

static int close_file(sqlite3_file *file)
{
	(void)file;
	return SQLITE_OK;
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	const image_file *f = &shelf.shown->files[which(file)];
	int64_t there = f->len > at ? f->len - at : 0;

	if (there > len)
		there = len;
	if (there > 0)
		memcpy(data, f->bytes + at, (size_t)there);
	if (there == len)
		return SQLITE_OK;
	memset((char *)data + there, 0, (size_t)(len - there));
	return SQLITE_IOERR_SHORT_READ;
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	image_write(shelf.shown, which(file), at, data, len);
	return SQLITE_OK;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	image_set_len(shelf.shown, which(file), len);
	return SQLITE_OK;
}

static int sync_file(sqlite3_file *file, int flags)
{
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	*len = shelf.shown->files[which(file)].len;
	return SQLITE_OK;
}

static int lock_file(sqlite3_file *file, int level)
{
	(void)file;
	(void)level;
	return SQLITE_OK;
}

static int check_lock(sqlite3_file *file, int *out)
{
	(void)file;
	*out = 0;
	return SQLITE_OK;
}

static int control_file(sqlite3_file *file, int what, void *value)
{
	(void)file;
	(void)what;
	(void)value;
	return SQLITE_NOTFOUND;
}

static int sector_of(sqlite3_file *file)
{
	(void)file;
	return PAGE_LEN;
}

static int traits_of(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	(void)file;
	*out = NULL;
	if (page >= SHM_PAGE_MAX || len != SHM_PAGE_LEN)
		return SQLITE_IOERR_SHMSIZE;
	if (page >= shelf.shm_page_count) {
		if (!extend)
			return SQLITE_OK;
		memset(shelf.shm[page], 0, SHM_PAGE_LEN);
		shelf.shm_page_count = page + 1;
	}
	*out = shelf.shm[page];
	return SQLITE_OK;
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	(void)file;
	(void)offset;
	(void)count;
	(void)flags;
	return SQLITE_OK;
}

static void fence_shm(sqlite3_file *file)
{
	(void)file;
}

static int unmap_shm(sqlite3_file *file, int is_to_go)
{
	(void)file;
	(void)is_to_go;
	return SQLITE_OK;
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
	.xUnlock = lock_file,
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
	shown_file *shown = (shown_file *)file;

	(void)vfs;
	shown->methods = NULL;
	shown->which = which_of(name);
	if (shown->which == FILE_COUNT)
		return SQLITE_CANTOPEN;
	if (!shelf.shown->files[shown->which].is_there) {
		if ((flags & SQLITE_OPEN_CREATE) == 0)
			return SQLITE_CANTOPEN;
		image_set_len(shelf.shown, shown->which, 0);
		image_set_there(shelf.shown, shown->which, true);
	}
	shown->methods = &methods;
	if (out_flags != NULL)
		*out_flags = flags;
	return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int is_synced)
{
	int file = which_of(name);

	(void)vfs;
	(void)is_synced;
	if (file == FILE_COUNT || !shelf.shown->files[file].is_there)
		return SQLITE_IOERR_DELETE_NOENT;
	image_set_there(shelf.shown, file, false);
	return SQLITE_OK;
}

static int is_there(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	int file = which_of(name);
	const image_file *f = file < FILE_COUNT ? &shelf.shown->files[file] : NULL;

	(void)vfs;
	*out = f != NULL && f->is_there && (flags != SQLITE_ACCESS_EXISTS || f->len > 0);
	return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *name, int room, char *out)
{
	(void)vfs;
	(void)sqlite3_snprintf(room, out, "%s", name);
	return SQLITE_OK;
}

void image_vfs_install(void)
{
	shelf.vfs = *sqlite3_vfs_find(NULL);
	shelf.vfs.pNext = NULL;
	shelf.vfs.zName = IMAGE_VFS_NAME;
	shelf.vfs.szOsFile = (int)sizeof(shown_file);
	shelf.vfs.xOpen = open_file;
	shelf.vfs.xDelete = delete_file;
	shelf.vfs.xAccess = is_there;
	shelf.vfs.xFullPathname = full_path;
	(void)sqlite3_vfs_register(&shelf.vfs, 0);
}

void image_vfs_show(image *i)
{
	shelf.shown = i;
	shelf.shm_page_count = 0;
}

image_log_index image_vfs_log_index(void)
{
	index_head head;
	image_log_index index = { 0 };

	if (shelf.shm_page_count == 0)
		return index;
	memcpy(&head, shelf.shm[0], sizeof head);
	index.is_there = head.is_init != 0;
	index.frame_count = head.frame_count;
	index.page_count = head.page_count;
	return index;
}
