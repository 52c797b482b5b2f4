/* SPDX-License-Identifier: MIT */
#include "torture/power/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t image_mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ b * 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;

	h ^= h >> 32;
	h *= 0xD6E8FEB86659FD93ULL;
	return h ^ h >> 32;
}

/* Four lanes, since one multiplication would wait for the other. */
uint64_t image_hash_bytes(const void *bytes, size_t len)
{
	uint64_t lanes[4] = { len, 1, 2, 3 }, words[4];
	const uint8_t *at = bytes;

	for (; len > 0; at += sizeof words) {
		size_t part = len < sizeof words ? len : sizeof words;

		if (part < sizeof words)
			memset(words, 0, sizeof words);
		memcpy(words, at, part);
		len -= part;
		for (int i = 0; i < 4; i++) {
			lanes[i] = (lanes[i] ^ words[i]) * 0x9FB21C651E98DF25ULL;
			lanes[i] ^= lanes[i] >> 29;
		}
	}
	return image_mix(image_mix(lanes[0], lanes[1]), image_mix(lanes[2], lanes[3]));
}

void image_free(image *i)
{
	for (int f = 0; f < FILE_COUNT; f++) {
		free(i->files[f].bytes);
		free(i->files[f].chunks);
	}
	free(i->undo);
	memset(i, 0, sizeof *i);
}

static size_t chunk_of(int file, int64_t at)
{
	if (file != FILE_LOG)
		return (size_t)(at / PAGE_LEN);
	return at < LOG_HEAD_LEN ? 0 : 1 + (size_t)((at - LOG_HEAD_LEN) / FRAME_LEN);
}

static void forget(image_file *f, int file, int64_t from, int64_t to)
{
	if (from >= to)
		return;
	for (size_t c = chunk_of(file, from); c <= chunk_of(file, to - 1); c++)
		f->chunks[c].is_known = false;
}

static void make_room(image_file *f, int file, int64_t len)
{
	size_t old = f->room, chunks = f->chunk_room;
	size_t sectors = ((size_t)len + SECTOR_LEN - 1) / SECTOR_LEN * SECTOR_LEN + SECTOR_LEN;

	f->bytes = record_grow(f->bytes, &f->room, sectors, 1);
	memset(f->bytes + old, 0, f->room - old);
	f->chunks = record_grow(f->chunks, &f->chunk_room, chunk_of(file, (int64_t)f->room) + 1,
				sizeof *f->chunks);
	memset(f->chunks + chunks, 0, (f->chunk_room - chunks) * sizeof *f->chunks);
}

static void remember(image *i, int file, int64_t sector)
{
	image_file *f = &i->files[file];
	image_undo *undo;

	if (!i->is_trying)
		return;
	i->undo = record_grow(i->undo, &i->undo_room, i->undo_count + 1, sizeof *i->undo);
	undo = &i->undo[i->undo_count++];
	undo->file = file;
	undo->was_there = f->is_there;
	undo->was_len = f->len;
	undo->sector = sector;
	if (sector >= 0)
		memcpy(undo->bytes, f->bytes + sector * SECTOR_LEN, SECTOR_LEN);
}

static void remember_range(image *i, int file, int64_t from, int64_t to)
{
	if (i->is_trying)
		for (int64_t s = from / SECTOR_LEN; s * SECTOR_LEN < to; s++)
			remember(i, file, s);
}

void image_write(image *i, int file, int64_t at, const void *bytes, int64_t len)
{
	image_file *f = &i->files[file];

	make_room(f, file, at + len);
	remember_range(i, file, at, at + len);
	memcpy(f->bytes + at, bytes, (size_t)len);
	if (at + len > f->len) {
		forget(f, file, f->len, at + len);
		f->len = at + len;
	}
	forget(f, file, at, at + len);
}

void image_set_len(image *i, int file, int64_t len)
{
	image_file *f = &i->files[file];

	make_room(f, file, len);
	remember(i, file, -1);
	if (len < f->len) {
		remember_range(i, file, len, f->len);
		memset(f->bytes + len, 0, (size_t)(f->len - len));
		forget(f, file, len, f->len);
	} else {
		forget(f, file, f->len, len);
	}
	f->len = len;
}

void image_set_there(image *i, int file, bool is_there)
{
	remember(i, file, -1);
	i->files[file].is_there = is_there;
}

void image_copy(image *to, const image *from, int file)
{
	const image_file *source = &from->files[file];

	image_set_len(to, file, 0);
	if (source->len > 0)
		image_write(to, file, 0, source->bytes, source->len);
	image_set_there(to, file, source->is_there);
}

void image_try(image *i)
{
	i->is_trying = true;
	i->undo_count = 0;
}

void image_undo_all(image *i)
{
	while (i->undo_count > 0) {
		const image_undo *undo = &i->undo[--i->undo_count];
		image_file *f = &i->files[undo->file];
		int64_t at = undo->sector * SECTOR_LEN;

		if (undo->sector >= 0) {
			memcpy(f->bytes + at, undo->bytes, SECTOR_LEN);
			forget(f, undo->file, at, at + SECTOR_LEN);
		}
		if (f->len > undo->was_len)
			forget(f, undo->file, undo->was_len, f->len);
		f->len = undo->was_len;
		f->is_there = undo->was_there;
	}
	i->is_trying = false;
}

static const image_chunk *chunk_at(image *i, int file, size_t number)
{
	image_file *f = &i->files[file];
	image_chunk *c = &f->chunks[number];
	int64_t head_len = file == FILE_LOG ? FRAME_HEAD_LEN : 0, at;

	if (c->is_known)
		return c;
	at = (int64_t)number * PAGE_LEN;
	if (file == FILE_LOG) {
		at = number == 0 ? 0 : LOG_HEAD_LEN + (int64_t)(number - 1) * FRAME_LEN;
		head_len = number == 0 ? LOG_HEAD_LEN : FRAME_HEAD_LEN;
	}
	/* Behind the end there are zeros, as far as there is room. */
	make_room(f, file, at + head_len + PAGE_LEN);
	c = &f->chunks[number];
	c->head_hash = image_hash_bytes(f->bytes + at, (size_t)head_len);
	c->page_hash = file == FILE_LOG && number == 0 ?
			       0 :
			       image_hash_bytes(f->bytes + at + head_len, PAGE_LEN);
	c->is_known = true;
	return c;
}

uint64_t image_page_hash(image *i, int file, int64_t number)
{
	make_room(&i->files[file], file, (number + 2) * FRAME_LEN);
	return chunk_at(i, file, (size_t)number + (file == FILE_LOG ? 1 : 0))->page_hash;
}

uint64_t image_hash(image *i)
{
	uint64_t sum = 0;

	for (int file = 0; file < FILE_COUNT; file++) {
		image_file *f = &i->files[file];
		size_t count = f->len > 0 ? chunk_of(file, f->len - 1) + 1 : 0;

		if (!f->is_there)
			continue;
		sum += image_mix((uint64_t)f->len, (uint64_t)file + 1);
		for (size_t n = 0; n < count; n++) {
			const image_chunk *c = chunk_at(i, file, n);

			sum += image_mix(c->page_hash ^ c->head_hash * 31,
					 n * FILE_COUNT + (size_t)file);
		}
	}
	return sum;
}

bool image_save(const image *i, const char *path)
{
	static const char *const endings[FILE_COUNT] = { "", "-wal", "-journal" };
	bool is_saved = true;
	char name[1024];

	for (int file = 0; file < FILE_COUNT; file++) {
		const image_file *f = &i->files[file];
		FILE *out;

		(void)snprintf(name, sizeof name, "%s%s", path, endings[file]);
		(void)unlink(name);
		if (!f->is_there)
			continue;
		out = fopen(name, "wb");
		is_saved = is_saved && out != NULL &&
			   fwrite(f->bytes, 1, (size_t)f->len, out) == (size_t)f->len;
		if (out != NULL)
			is_saved = fclose(out) == 0 && is_saved;
	}
	(void)snprintf(name, sizeof name, "%s-shm", path);
	(void)unlink(name);
	return is_saved;
}
