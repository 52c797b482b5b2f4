/* SPDX-License-Identifier: MIT */
#include "torture/power/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *record_grow(void *block, size_t *room, size_t count, size_t item_len)
{
	if (count <= *room)
		return block;
	*room = count * 2;
	block = realloc(block, *room * item_len);
	if (block != NULL)
		return block;
	(void)fprintf(stderr, "out of memory\n");
	exit(2);
}

void record_open(record *r)
{
	memset(r, 0, sizeof *r);
	(void)pthread_mutex_init(&r->lock, NULL);
	for (int i = 0; i < FILE_COUNT; i++)
		r->begin_len[i] = -1;
}

void record_close(record *r)
{
	free(r->ops);
	free(r->heap);
	free(r->acks);
	for (int i = 0; i < FILE_COUNT; i++)
		free(r->begin[i]);
	(void)pthread_mutex_destroy(&r->lock);
	memset(r, 0, sizeof *r);
}

size_t record_now(record *r)
{
	size_t now;

	(void)pthread_mutex_lock(&r->lock);
	now = r->op_count;
	(void)pthread_mutex_unlock(&r->lock);
	return now;
}

void record_add(record *r, op what, const void *bytes)
{
	size_t len = bytes != NULL ? (size_t)what.len : 0;

	(void)pthread_mutex_lock(&r->lock);
	r->ops = record_grow(r->ops, &r->op_room, r->op_count + 1, sizeof *r->ops);
	r->heap = record_grow(r->heap, &r->heap_room, r->heap_len + len + 1, 1);
	if (len > 0)
		memcpy(r->heap + r->heap_len, bytes, len);
	what.bytes = r->heap_len;
	r->heap_len += len;
	r->ops[r->op_count++] = what;
	(void)pthread_mutex_unlock(&r->lock);
}

void record_ack(record *r, ack what)
{
	(void)pthread_mutex_lock(&r->lock);
	r->acks = record_grow(r->acks, &r->ack_room, r->ack_count + 1, sizeof *r->acks);
	if (what.at == 0)
		what.at = r->op_count;
	what.version = -1;
	r->acks[r->ack_count++] = what;
	(void)pthread_mutex_unlock(&r->lock);
}
