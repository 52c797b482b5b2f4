/* SPDX-License-Identifier: MIT */
#include "sim/sim/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

enum {
	FILE_MAX = 8,
	NAME_LEN = 256,
	LOCK_COUNT = 8,
	SHM_PAGE_MAX = 64,
	ROOM_MIN = 1 << 16,
	SECTOR_LEN = 4096,
};

typedef struct disk_file {
	char name[NAME_LEN]; /* empty: a free place */
	uint8_t *bytes;
	int64_t len;
	int64_t room;
	int open_count;
	/* Locks of the file itself. */
	int shared_count;
	const void *reserved; /* who has it, and pending and exclusive ones */
	/* The index of the log. */
	void *shm[SHM_PAGE_MAX];
	size_t shm_len;
	int shm_user_count;
	int shm_shared[LOCK_COUNT];
	bool shm_exclusive[LOCK_COUNT];
} disk_file;

typedef struct handle {
	const sqlite3_io_methods *methods; /* what sqlite3_file begins with */
	disk_file *file;
	int process;
	int level;
	bool has_shm;
	uint16_t shm_shared;
	uint16_t shm_exclusive;
} handle;

typedef struct plan {
	bool is_cut;
	bool has_failed;
	disk_fault fault;
	int left; /* 0: none */
} plan;

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	disk_file files[FILE_MAX];
	plan plans[DISK_PROCESS_MAX];
	int current;
	uint64_t operation_count;
	uint64_t write_count;
	uint64_t random;
} disk;

static handle *of(sqlite3_file *file)
{
	return (handle *)(void *)file;
}

enum { FOR_LOCK = 1 << DISK_BUSY, FOR_WRITE = 1 << DISK_FULL | 1 << DISK_BROKEN };

static const int codes[DISK_FAULT_COUNT] = {
	[DISK_BUSY] = SQLITE_BUSY,
	[DISK_FULL] = SQLITE_FULL,
	[DISK_BROKEN] = SQLITE_IOERR_WRITE,
	[DISK_CUT] = SQLITE_IOERR,
};

/* What this operation fails with; fits: bits of the faults that it may have. */
static int fault_of(int process, int fits)
{
	plan *p = &disk.plans[process];

	disk.operation_count++;
	if (p->is_cut)
		return SQLITE_IOERR;
	if (p->left == 0 || ((fits | 1 << DISK_CUT) >> p->fault & 1) == 0 || --p->left > 0)
		return SQLITE_OK;
	p->has_failed = true;
	p->is_cut = p->fault == DISK_CUT;
	return codes[p->fault];
}

static disk_file *find(const char *name)
{
	for (int i = 0; i < FILE_MAX; i++)
		if (strcmp(disk.files[i].name, name) == 0)
			return &disk.files[i];
	return NULL;
}

static void empty(disk_file *f)
{
	for (int i = 0; i < SHM_PAGE_MAX; i++) {
		free(f->shm[i]);
		f->shm[i] = NULL;
	}
	f->len = 0;
	f->name[0] = '\0';
}

static int close_shm(sqlite3_file *file, int is_to_go)
{
	handle *h = of(file);

	(void)is_to_go;
	if (!h->has_shm)
		return SQLITE_OK;
	for (int i = 0; i < LOCK_COUNT; i++) {
		if ((h->shm_shared >> i & 1) != 0)
			h->file->shm_shared[i]--;
		if ((h->shm_exclusive >> i & 1) != 0)
			h->file->shm_exclusive[i] = false;
	}
	h->shm_shared = h->shm_exclusive = 0;
	h->has_shm = false;
	h->file->shm_user_count--;
	return SQLITE_OK;
}

static int unlock_file(sqlite3_file *file, int level)
{
	handle *h = of(file);

	if (h->level > SQLITE_LOCK_SHARED && h->file->reserved == h)
		h->file->reserved = NULL;
	if (h->level >= SQLITE_LOCK_SHARED && level == SQLITE_LOCK_NONE)
		h->file->shared_count--;
	if (level < h->level)
		h->level = level;
	return SQLITE_OK;
}

static int close_file(sqlite3_file *file)
{
	handle *h = of(file);

	(void)close_shm(file, 0);
	(void)unlock_file(file, SQLITE_LOCK_NONE);
	h->file->open_count--;
	h->methods = NULL;
	return SQLITE_OK;
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	const handle *h = of(file);
	const disk_file *f = h->file;
	int code = fault_of(h->process, 0);
	int64_t there = at < f->len ? f->len - at : 0;

	if (code != SQLITE_OK)
		return code;
	if (there > len)
		there = len;
	if (there > 0)
		memcpy(data, f->bytes + at, (size_t)there);
	if (there == len)
		return SQLITE_OK;
	memset((char *)data + there, 0, (size_t)(len - there));
	return SQLITE_IOERR_SHORT_READ;
}

static void grow(disk_file *f, int64_t len)
{
	int64_t room = f->room > 0 ? f->room : ROOM_MIN;

	if (len > f->room) {
		while (room < len)
			room *= 2;
		f->bytes = realloc(f->bytes, (size_t)room);
		assert_non_null(f->bytes);
		f->room = room;
	}
	if (len > f->len) {
		memset(f->bytes + f->len, 0, (size_t)(len - f->len));
		f->len = len;
	}
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	const handle *h = of(file);
	bool was_cut = disk.plans[h->process].is_cut;
	int code = fault_of(h->process, FOR_WRITE);

	/* What is cut off in the middle has written a part. */
	if (code != SQLITE_OK && !was_cut && disk.plans[h->process].is_cut)
		len = (int)(disk.random % (uint64_t)(len + 1));
	else if (code != SQLITE_OK)
		return code;
	disk.write_count++;
	grow(h->file, at + len);
	memcpy(h->file->bytes + at, data, (size_t)len);
	return code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
	const handle *h = of(file);
	int code = fault_of(h->process, FOR_WRITE);

	if (code == SQLITE_OK && len < h->file->len)
		h->file->len = len;
	return code;
}

static int sync_file(sqlite3_file *file, int flags)
{
	(void)flags;
	return fault_of(of(file)->process, FOR_WRITE);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *len)
{
	*len = of(file)->file->len;
	return fault_of(of(file)->process, 0);
}

static int lock_file(sqlite3_file *file, int level)
{
	handle *h = of(file);
	disk_file *f = h->file;
	int code;

	if (level <= h->level)
		return SQLITE_OK;
	code = fault_of(h->process, FOR_LOCK);
	if (code != SQLITE_OK)
		return code;
	if (f->reserved != NULL && f->reserved != h &&
	    (level > SQLITE_LOCK_SHARED ||
	     ((const handle *)f->reserved)->level > SQLITE_LOCK_RESERVED))
		return SQLITE_BUSY;
	if (level == SQLITE_LOCK_EXCLUSIVE && f->shared_count > (h->level >= SQLITE_LOCK_SHARED))
		return SQLITE_BUSY;
	if (h->level < SQLITE_LOCK_SHARED)
		f->shared_count++;
	if (level > SQLITE_LOCK_SHARED)
		f->reserved = h;
	h->level = level;
	return SQLITE_OK;
}

static int check_lock(sqlite3_file *file, int *out)
{
	*out = of(file)->file->reserved != NULL;
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
	return SECTOR_LEN;
}

static int traits_of(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* The first one finds nothing that is left of those before, as the file layer for Unix sees to. */
static void join_shm(handle *h)
{
	disk_file *f = h->file;

	if (h->has_shm)
		return;
	for (int i = 0; f->shm_user_count == 0 && i < SHM_PAGE_MAX; i++)
		if (f->shm[i] != NULL)
			memset(f->shm[i], 0, f->shm_len);
	h->has_shm = true;
	f->shm_user_count++;
}

static int map_shm(sqlite3_file *file, int page, int len, int extend, void volatile **out)
{
	handle *h = of(file);
	disk_file *f = h->file;
	int code = fault_of(h->process, 0);

	*out = NULL;
	if (code != SQLITE_OK)
		return code;
	join_shm(h);
	if (page >= SHM_PAGE_MAX)
		return SQLITE_IOERR_SHMMAP;
	f->shm_len = (size_t)len;
	if (f->shm[page] == NULL && extend)
		f->shm[page] = calloc(1, (size_t)len);
	*out = f->shm[page];
	return SQLITE_OK;
}

static void unlock_shm(handle *h, int i)
{
	if ((h->shm_shared >> i & 1) != 0)
		h->file->shm_shared[i]--;
	if ((h->shm_exclusive >> i & 1) != 0)
		h->file->shm_exclusive[i] = false;
	h->shm_shared &= (uint16_t) ~(1U << i);
	h->shm_exclusive &= (uint16_t) ~(1U << i);
}

static bool can_lock_shm(const handle *h, int i, bool is_exclusive)
{
	const disk_file *f = h->file;
	int others = f->shm_shared[i] - (h->shm_shared >> i & 1);

	if (f->shm_exclusive[i] && (h->shm_exclusive >> i & 1) == 0)
		return false;
	return !is_exclusive || others == 0;
}

static void take_shm(handle *h, int i, bool is_exclusive)
{
	unlock_shm(h, i);
	if (is_exclusive) {
		h->file->shm_exclusive[i] = true;
		h->shm_exclusive |= (uint16_t)(1U << i);
	} else {
		h->file->shm_shared[i]++;
		h->shm_shared |= (uint16_t)(1U << i);
	}
}

static int lock_shm(sqlite3_file *file, int offset, int count, int flags)
{
	handle *h = of(file);
	bool is_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
	int code;

	if ((flags & SQLITE_SHM_UNLOCK) != 0) {
		for (int i = offset; i < offset + count; i++)
			unlock_shm(h, i);
		return SQLITE_OK;
	}
	code = fault_of(h->process, FOR_LOCK);
	if (code != SQLITE_OK)
		return code;
	for (int i = offset; i < offset + count; i++)
		if (!can_lock_shm(h, i, is_exclusive))
			return SQLITE_BUSY;
	for (int i = offset; i < offset + count; i++)
		take_shm(h, i, is_exclusive);
	return SQLITE_OK;
}

static void fence_shm(sqlite3_file *file)
{
	(void)file;
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
	.xShmUnmap = close_shm,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	handle *h = of(file);
	disk_file *f;
	int code = fault_of(disk.current, 0);

	(void)vfs;
	memset(h, 0, sizeof *h);
	if (code != SQLITE_OK)
		return SQLITE_CANTOPEN;
	assert_non_null(name);
	f = find(name);
	if (f == NULL)
		f = find("");
	if (f == NULL)
		return SQLITE_CANTOPEN;
	if (f->name[0] == '\0')
		(void)snprintf(f->name, sizeof f->name, "%s", name);
	f->open_count++;
	*h = (handle){ .methods = &methods, .file = f, .process = disk.current };
	if (out != NULL)
		*out = flags;
	return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int is_synced)
{
	disk_file *f = find(name);

	(void)vfs;
	(void)is_synced;
	if (fault_of(disk.current, 0) != SQLITE_OK)
		return SQLITE_IOERR_DELETE;
	if (f == NULL)
		return SQLITE_IOERR_DELETE_NOENT;
	assert_int_equal(f->open_count, 0);
	empty(f);
	return SQLITE_OK;
}

static int access_file(sqlite3_vfs *vfs, const char *name, int what, int *out)
{
	const disk_file *f = find(name);

	(void)vfs;
	(void)what;
	*out = f != NULL && f->len > 0;
	return SQLITE_OK;
}

static int name_file(sqlite3_vfs *vfs, const char *name, int len, char *out)
{
	(void)vfs;
	(void)snprintf(out, (size_t)len, "%s", name);
	return SQLITE_OK;
}

static int fill_random(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	for (int i = 0; i < len; i++) {
		disk.random = disk.random * 6364136223846793005ULL + 1442695040888963407ULL;
		out[i] = (char)(disk.random >> 56);
	}
	return len;
}

static int sleep_a_while(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

void disk_install(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.iVersion = 2;
	disk.vfs.zName = "memory-disk";
	disk.vfs.pNext = NULL;
	disk.vfs.szOsFile = (int)sizeof(handle);
	disk.vfs.xOpen = open_file;
	disk.vfs.xDelete = delete_file;
	disk.vfs.xAccess = access_file;
	disk.vfs.xFullPathname = name_file;
	disk.vfs.xRandomness = fill_random;
	disk.vfs.xSleep = sleep_a_while;
	assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
	disk_clear();
}

void disk_clear(void)
{
	for (int i = 0; i < FILE_MAX; i++) {
		assert_int_equal(disk.files[i].open_count, 0);
		empty(&disk.files[i]);
	}
	memset(disk.plans, 0, sizeof disk.plans);
	disk.random = 1;
	disk.current = 0;
	/* Seeded anew from ours, so that salts of logs are the same again. */
	sqlite3_randomness(0, NULL);
}

void disk_enter(int process)
{
	disk.current = process;
}

void disk_plan(int process, disk_fault fault, int nth)
{
	disk.plans[process] = (plan){ .fault = fault, .left = nth };
}

void disk_heal(int process)
{
	disk.plans[process] = (plan){ 0 };
}

void disk_cut(int process)
{
	disk.plans[process].is_cut = true;
}

bool disk_is_cut(int process)
{
	return disk.plans[process].is_cut;
}

bool disk_has_failed(int process)
{
	return disk.plans[process].has_failed;
}

uint64_t disk_write_count(void)
{
	return disk.write_count;
}

uint64_t disk_operation_count(void)
{
	return disk.operation_count;
}

bool disk_write_out(const char *name, const char *to)
{
	const disk_file *f = find(name);
	FILE *out = f != NULL ? fopen(to, "wb") : NULL;
	bool is_written;

	if (out == NULL)
		return false;
	is_written = fwrite(f->bytes, 1, (size_t)f->len, out) == (size_t)f->len;
	return fclose(out) == 0 && is_written;
}
