/* SPDX-License-Identifier: MIT */
#include "handlers/start_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { PATH_LEN_MAX = 4096, SLOT_COUNT_MAX = 1 << 20 };

static const uint64_t magic = 0x73746570627573ULL; /* "stepbus" */

/* In the file; all of one size, the first one being the head. */
typedef struct slot {
	_Atomic(int64_t) step_id; /* of the head: the magic */
	_Atomic(int64_t) token;   /* of the head: how many slots follow */
	_Atomic(uint64_t) mark;
	uint64_t reserved;
} slot;

struct sb_start_log {
	const stepbus_host *host;
	slot *slots;
	size_t len;
	uint32_t count;
	pthread_mutex_t lock; /* guards what follows: places are given back by others */
	uint32_t *free_slots;
	uint32_t free_count;
	char path[PATH_LEN_MAX];
	dev_t device; /* which file it is */
	ino_t inode;
};

struct sb_start_record {
	size_t count;
	struct entry {
		int64_t step_id;
		int64_t token;
		uint64_t mark;
		uint64_t reserved;
	} entries[];
};

static stepbus_status write_path(char path[PATH_LEN_MAX], const sb_start_name *name,
				 stepbus_error *err)
{
	int len = snprintf(path, PATH_LEN_MAX, "%s-started-%lld-%lld", name->database_path,
			   (long long)name->pid, (long long)name->worker_id);

	if (len < 0 || len >= PATH_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "the path of the store is too long");
	return STEPBUS_OK;
}

/*
 * A worker's row that is rolled back leaves its number, and so the name of the file, to another worker:
 * what lies there may be that one's.
 */
static void remove_own(const sb_start_log *log)
{
	struct stat there;

	if (stat(log->path, &there) == 0 && there.st_dev == log->device &&
	    there.st_ino == log->inode)
		unlink(log->path);
}

/* Maps a new file, in the place of the old one where there is one. */
static stepbus_status map_file(sb_start_log *log, const char *path, stepbus_error *err)
{
	struct stat made;
	void *map = MAP_FAILED;
	int fd, failure;

	/* Never one that is there: whoever has it mapped would lose it under their feet. */
	(void)unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	failure = fd >= 0 ? 0 : errno;
	/* Room is asked for now: a write to a mapping that has none would end the process. */
	if (failure == 0)
		do
			failure = posix_fallocate(fd, 0, (off_t)log->len);
		while (failure == EINTR);
	if (failure == 0 && fstat(fd, &made) != 0)
		failure = errno;
	if (failure == 0) {
		map = mmap(log->slots, log->len, PROT_READ | PROT_WRITE,
			   MAP_SHARED | (log->slots != NULL ? MAP_FIXED : 0), fd, 0);
		failure = map == MAP_FAILED ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (failure != 0) {
		if (fd >= 0)
			unlink(path);
		return sb_fail(err,
			       failure == ENOSPC || failure == EDQUOT || failure == EFBIG ?
				       STEPBUS_ENOSPACE :
				       STEPBUS_ESYSTEM,
			       "cannot make '%s', which tells what a worker has begun (errno %d)",
			       path, failure);
	}
	if (log->slots != NULL)
		remove_own(log);
	log->device = made.st_dev;
	log->inode = made.st_ino;
	/* Renewed, it lies where it was: others may be marking in it. */
	if (log->slots == NULL)
		log->slots = map;
	atomic_store(&log->slots[0].step_id, (int64_t)magic);
	atomic_store(&log->slots[0].token, (int64_t)log->count);
	return STEPBUS_OK;
}

static void dispose(sb_start_log *log)
{
	pthread_mutex_destroy(&log->lock);
	sb_release(log->host, log->free_slots);
	sb_release(log->host, log);
}

stepbus_status sb_start_log_create(const stepbus_host *host, const sb_start_name *name,
				   uint32_t count, sb_start_log **out, stepbus_error *err)
{
	sb_start_log *log = sb_alloc(host, sizeof *log);
	stepbus_status status;

	if (log == NULL)
		return sb_fail_memory(err, "keep a log of what is begun");
	log->host = host;
	log->count = count;
	log->len = (count + 1U) * sizeof(slot);
	sb_assert(pthread_mutex_init(&log->lock, NULL) == 0);
	log->free_slots = sb_alloc_array(host, count, sizeof *log->free_slots);
	status = log->free_slots == NULL ? sb_fail_memory(err, "keep a log of what is begun") :
					   write_path(log->path, name, err);
	if (status == STEPBUS_OK)
		status = map_file(log, log->path, err);
	if (status != STEPBUS_OK || log->free_slots == NULL) {
		dispose(log);
		return status;
	}
	for (uint32_t i = 0; i < count; i++)
		log->free_slots[i] = count - i;
	log->free_count = count;
	*out = log;
	return STEPBUS_OK;
}

stepbus_status sb_start_log_renew(sb_start_log *log, const sb_start_name *name, stepbus_error *err)
{
	char path[PATH_LEN_MAX];
	stepbus_status status = write_path(path, name, err);

	if (status == STEPBUS_OK)
		status = map_file(log, path, err);
	if (status != STEPBUS_OK)
		return status;
	memcpy(log->path, path, sizeof path);
	return STEPBUS_OK;
}

uint32_t sb_start_log_take(sb_start_log *log, int64_t step_id, int64_t token)
{
	uint32_t slot_index = UINT32_MAX;

	pthread_mutex_lock(&log->lock);
	if (log->free_count > 0)
		slot_index = log->free_slots[--log->free_count];
	pthread_mutex_unlock(&log->lock);
	if (slot_index == UINT32_MAX)
		return slot_index;
	atomic_store_explicit(&log->slots[slot_index].mark, SB_START_NONE, memory_order_relaxed);
	atomic_store_explicit(&log->slots[slot_index].token, token, memory_order_relaxed);
	atomic_store_explicit(&log->slots[slot_index].step_id, step_id, memory_order_relaxed);
	return slot_index;
}

void sb_start_log_mark(sb_start_log *log, uint32_t slot_index, sb_start_mark mark)
{
	if (log != NULL && slot_index != UINT32_MAX)
		atomic_store_explicit(&log->slots[slot_index].mark, mark, memory_order_release);
}

void sb_start_log_give(sb_start_log *log, uint32_t slot_index)
{
	if (log == NULL || slot_index == UINT32_MAX)
		return;
	atomic_store_explicit(&log->slots[slot_index].step_id, 0, memory_order_relaxed);
	pthread_mutex_lock(&log->lock);
	log->free_slots[log->free_count++] = slot_index;
	pthread_mutex_unlock(&log->lock);
}

void sb_start_log_leave(sb_start_log *log)
{
	if (log == NULL)
		return;
	munmap(log->slots, log->len);
	dispose(log);
}

void sb_start_log_remove(sb_start_log *log)
{
	if (log != NULL)
		remove_own(log);
	sb_start_log_leave(log);
}

/* Whole records, and not more than there may be: room is asked for only where it will be filled. */
static bool has_len(int fd, uint64_t len)
{
	struct stat there;

	return fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && (uint64_t)there.st_size == len;
}

/* Reads until len bytes are there; false where the file is shorter. */
static bool read_all(int fd, void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t count = pread(fd, (char *)bytes + done, len - done, (off_t)done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		done += (size_t)count;
	}
	return true;
}

static stepbus_status read_entries(const stepbus_host *host, int fd, sb_start_record **out,
				   stepbus_error *err)
{
	struct entry head;
	sb_start_record *record;

	/* A length that is not the head's is of a file that was cut, or is laid out in another way. */
	if (!read_all(fd, &head, sizeof head) || (uint64_t)head.step_id != magic ||
	    head.token < 0 || head.token > SLOT_COUNT_MAX ||
	    !has_len(fd, ((uint64_t)head.token + 1) * sizeof head))
		return STEPBUS_OK;
	record = sb_alloc(host, sizeof *record + ((size_t)head.token + 1) * sizeof head);
	if (record == NULL)
		return sb_fail_memory(err, "read what a worker had begun");
	record->count = (size_t)head.token + 1;
	if (!read_all(fd, record->entries, record->count * sizeof head)) {
		sb_release(host, record);
		return STEPBUS_OK;
	}
	*out = record;
	return STEPBUS_OK;
}

stepbus_status sb_start_record_read(const stepbus_host *host, const sb_start_name *name,
				    sb_start_record **out, stepbus_error *err)
{
	char path[PATH_LEN_MAX];
	stepbus_status status = write_path(path, name, err);
	int fd;

	*out = NULL;
	if (status != STEPBUS_OK)
		return status;
	/* Opening a pipe would wait for whoever writes to it, and the store with it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return STEPBUS_OK;
	status = read_entries(host, fd, out, err);
	close(fd);
	return status;
}

sb_start_mark sb_start_record_find(const sb_start_record *record, int64_t step_id, int64_t token)
{
	/* Without a record nobody knows: then the step may have run, and is not to blame. */
	if (record == NULL)
		return SB_START_ENDED;
	for (size_t i = 1; i < record->count; i++)
		if (record->entries[i].step_id == step_id && record->entries[i].token == token)
			return record->entries[i].mark == SB_START_RUNNING ? SB_START_RUNNING :
			       record->entries[i].mark == SB_START_ENDED   ? SB_START_ENDED :
									     SB_START_NONE;
	/* Claimed, but the claimer died before it noted it: nothing was begun. */
	return SB_START_NONE;
}

void sb_start_record_free(const stepbus_host *host, sb_start_record *record)
{
	sb_release(host, record);
}

void sb_start_record_end(const stepbus_host *host, const sb_start_name *name,
			 sb_start_record *record)
{
	char path[PATH_LEN_MAX];

	sb_start_record_free(host, record);
	if (write_path(path, name, NULL) == STEPBUS_OK)
		unlink(path);
}
