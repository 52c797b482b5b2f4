/* SPDX-License-Identifier: MIT */
/*
 * The record of a workload: everything that was done to the database file, its log and its journal,
 * in its order, and what the library acknowledged in between. An acknowledgement stands at the
 * number of operations that were done when it was heard: a power cut at or behind that place must
 * leave what it says.
 *
 * Any thread may add; who reads waits until nobody adds any more.
 */
#ifndef TESTS_TORTURE_POWER_RECORD_H
#define TESTS_TORTURE_POWER_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILE_DATABASE = 0, FILE_LOG = 1, FILE_JOURNAL = 2, FILE_COUNT = 3 };
enum { SECTOR_LEN = 512, PAGE_LEN = 4096 };

typedef enum op_kind {
	OP_CREATE, /* on the disk once the directory is synced, as is a deletion */
	OP_WRITE,
	OP_TRUNCATE,
	OP_SYNC, /* covers what was done before it began */
	OP_SYNC_FAILED,
	OP_DELETE,
	OP_SYNC_DIRECTORY,
} op_kind;

typedef struct op {
	op_kind kind;
	int file;
	int64_t at;   /* of a write; the new length; of a sync, how many operations it covers */
	int64_t len;  /* of a write */
	size_t bytes; /* of a write: where they begin in the record's heap */
} op;

typedef enum ack_kind {
	ACK_ENQUEUED,   /* digest: of the input */
	ACK_CLAIMED,    /* the host was given a token */
	ACK_SUCCEEDED,  /* digest: of the result */
	ACK_TRIED,      /* an attempt ended in another way, and its row was written */
	ACK_CHECKPOINT, /* digest: of the cursor */
	ACK_RELEASED,
	ACK_CANCELLED,
	ACK_REDRIVEN,
	ACK_PAUSED, /* a queue; digest: of its name */
	ACK_RESUMED,
	ACK_CRON_SET,
	ACK_CRON_REMOVED,
	ACK_MAYBE_REDRIVEN, /* none: it was refused because a sync failed, and may have happened */
	ACK_COUNT
} ack_kind;

typedef struct ack {
	ack_kind kind;
	int level;     /* the durability that it was acknowledged with */
	size_t called; /* operations done when the call was made, */
	size_t at;     /* and when its answer was heard */
	int64_t step;
	int64_t token;
	uint64_t digest;
	int version; /* the commit that it is in; set by the judge */
} ack;

typedef struct record {
	pthread_mutex_t lock;
	op *ops;
	size_t op_count, op_room;
	uint8_t *heap;
	size_t heap_len, heap_room;
	ack *acks;
	size_t ack_count, ack_room;
	/* What lay there when the record began. */
	uint8_t *begin[FILE_COUNT];
	int64_t begin_len[FILE_COUNT]; /* -1: no such file */
} record;

void record_open(record *r);
void record_close(record *r);
/* Operations done so far. */
size_t record_now(record *r);
void record_add(record *r, op what, const void *bytes);
void record_ack(record *r, ack what);
/* Never fail: the program ends where there is no memory. */
void *record_grow(void *block, size_t *room, size_t count, size_t item_len);

#endif
