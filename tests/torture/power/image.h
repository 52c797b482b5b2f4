/* SPDX-License-Identifier: MIT */
/*
 * What lies on a disk, in memory: a database, its log and its journal. Between image_try and
 * image_undo every change is remembered and taken back, so that thousands of states that differ in
 * a few sectors cost a few sectors each. Pages are hashed as they are asked for, once for each
 * change, so that neither the identity of a state nor that of the database in it needs a walk over
 * all bytes. One thread.
 */
#ifndef TESTS_TORTURE_POWER_IMAGE_H
#define TESTS_TORTURE_POWER_IMAGE_H

#include "torture/power/record.h"

enum { LOG_HEAD_LEN = 32, FRAME_HEAD_LEN = 24, FRAME_LEN = FRAME_HEAD_LEN + PAGE_LEN };

/* A page of the database or the journal; of the log, a frame (the 0th is its head). */
typedef struct image_chunk {
	uint64_t page_hash;
	uint64_t head_hash;
	bool is_known;
} image_chunk;

typedef struct image_file {
	uint8_t *bytes; /* zero behind len */
	int64_t len;
	size_t room;
	bool is_there;
	image_chunk *chunks;
	size_t chunk_room;
} image_file;

typedef struct image_undo {
	int file;
	bool was_there;
	int64_t was_len;
	int64_t sector; /* -1: only the length or the being there changed */
	uint8_t bytes[SECTOR_LEN];
} image_undo;

typedef struct image {
	image_file files[FILE_COUNT];
	bool is_trying;
	image_undo *undo;
	size_t undo_count, undo_room;
} image;

void image_free(image *i);
void image_write(image *i, int file, int64_t at, const void *bytes, int64_t len);
/* Grows with zeros. */
void image_set_len(image *i, int file, int64_t len);
void image_set_there(image *i, int file, bool is_there);
void image_copy(image *to, const image *from, int file);

void image_try(image *i);
void image_undo_all(image *i);

/* Of a page's bytes in the database (from 0) or in a frame of the log (from 0). */
uint64_t image_page_hash(image *i, int file, int64_t number);
/* Of everything. */
uint64_t image_hash(image *i);
uint64_t image_mix(uint64_t a, uint64_t b);
uint64_t image_hash_bytes(const void *bytes, size_t len);
/* Writes the files to path, path-wal and path-journal. */
bool image_save(const image *i, const char *path);

#endif
