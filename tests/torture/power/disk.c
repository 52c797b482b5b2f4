/* SPDX-License-Identifier: MIT */
#include "torture/power/disk.h"

#include <stdlib.h>
#include <string.h>

void disk_open(disk *d, const record *r)
{
	memset(d, 0, sizeof *d);
	d->record = r;
	for (int f = 0; f < FILE_COUNT; f++) {
		bool is_there = r->begin_len[f] >= 0;

		d->entries[f].was_there = is_there;
		if (is_there && r->begin_len[f] > 0) {
			image_write(&d->base, f, 0, r->begin[f], r->begin_len[f]);
			image_write(&d->live, f, 0, r->begin[f], r->begin_len[f]);
		}
		image_set_there(&d->base, f, is_there);
		image_set_there(&d->live, f, is_there);
	}
}

void disk_close(disk *d)
{
	image_free(&d->base);
	image_free(&d->live);
	image_free(&d->ghost);
	free(d->units);
	free(d->sectors);
	memset(d, 0, sizeof *d);
}

static void apply(image *i, const disk *d, const disk_unit *u)
{
	if (u->kind == OP_TRUNCATE) {
		image_set_len(i, u->file, u->len_after);
		return;
	}
	for (size_t n = 0; n < u->sector_count; n++) {
		const disk_sector *s = &d->sectors[u->sector_first + n];

		image_write(i, u->file, s->number * SECTOR_LEN, s->bytes, s->len);
	}
}

/* What is written over it is gone, whether it ever reached the disk or not. */
static void forget_detached(disk *d, int file, int64_t number, size_t before)
{
	for (size_t n = 0; n < before; n++)
		if (d->units[n].is_detached && d->units[n].file == file)
			for (size_t s = 0; s < d->units[n].sector_count; s++)
				if (d->sectors[d->units[n].sector_first + s].number == number)
					d->sectors[d->units[n].sector_first + s].len = 0;
}

/*
 * A length is not a page: the system keeps those of a file in their order. What made the file longer behind a
 * truncation whose sync failed is on the disk only together with it.
 */
static void forget_truncations(disk *d, const disk_unit *u, size_t before)
{
	for (size_t n = 0; n < before; n++)
		if (d->units[n].is_detached && d->units[n].file == u->file &&
		    d->units[n].kind == OP_TRUNCATE && u->len_after > d->units[n].len_after)
			d->units[n].is_forgotten = true;
}

static void make_certain(disk *d, size_t n)
{
	const disk_unit *u = &d->units[n];

	apply(&d->base, d, u);
	if (d->has_detached)
		forget_truncations(d, u, n);
	if (d->has_detached)
		for (size_t s = 0; s < u->sector_count; s++)
			forget_detached(d, u->file, d->sectors[u->sector_first + s].number, n);
}

/* A sync that failed: the system may believe that these are on the disk, and not try again. */
static void detach(disk *d, const op *what)
{
	d->has_detached = true;
	for (size_t n = 0; n < d->unit_count; n++)
		if (d->units[n].file == what->file && d->units[n].op < (size_t)what->at)
			d->units[n].is_detached = true;
}

/* Takes those of a file out that came before an operation; they become certain where is_kept. */
static void settle(disk *d, int file, size_t before, bool is_kept)
{
	size_t units = 0, sectors = 0;

	for (size_t n = 0; n < d->unit_count; n++) {
		disk_unit u = d->units[n];

		if (u.file == file && u.op < before && !(is_kept && u.is_detached)) {
			if (is_kept)
				make_certain(d, n);
			continue;
		}
		memmove(d->sectors + sectors, d->sectors + u.sector_first,
			u.sector_count * sizeof *d->sectors);
		for (size_t s = 0; s < u.sector_count; s++)
			d->sectors[sectors + s].unit = units;
		u.sector_first = sectors;
		sectors += u.sector_count;
		d->units[units++] = u;
	}
	d->unit_count = units;
	d->sector_count = sectors;
}

static disk_unit *add_unit(disk *d, const op *what)
{
	d->units = record_grow(d->units, &d->unit_room, d->unit_count + 1, sizeof *d->units);
	d->units[d->unit_count] = (disk_unit){ .kind = what->kind,
					       .file = what->file,
					       .op = d->at,
					       .len_after = d->live.files[what->file].len,
					       .sector_first = d->sector_count };
	return &d->units[d->unit_count++];
}

static void write_to(disk *d, const op *what)
{
	const image_file *f = &d->live.files[what->file];
	int64_t end = what->at + what->len;
	disk_unit *u;

	image_write(&d->live, what->file, what->at, d->record->heap + what->bytes, what->len);
	u = add_unit(d, what);
	for (int64_t n = what->at / SECTOR_LEN; n * SECTOR_LEN < end; n++) {
		disk_sector *s;
		int64_t left = f->len - n * SECTOR_LEN;

		d->sectors = record_grow(d->sectors, &d->sector_room, d->sector_count + 1,
					 sizeof *d->sectors);
		s = &d->sectors[d->sector_count++];
		s->number = n;
		s->unit = d->unit_count - 1;
		s->len = left < SECTOR_LEN ? (int32_t)left : SECTOR_LEN;
		memcpy(s->bytes, f->bytes + n * SECTOR_LEN, SECTOR_LEN);
		u->sector_count++;
	}
}

static void change_entry(disk *d, const op *what)
{
	disk_entry *e = &d->entries[what->file];

	if (what->kind == OP_DELETE) {
		if (e->was_there && e->change_count == 0) {
			image_copy(&d->ghost, &d->base, what->file);
			e->has_ghost = true;
		}
		settle(d, what->file, SIZE_MAX, false);
		image_set_len(&d->base, what->file, 0);
		image_set_len(&d->live, what->file, 0);
	}
	image_set_there(&d->live, what->file, what->kind == OP_CREATE);
	if (e->change_count == ENTRY_MAX) {
		memmove(e->changes, e->changes + 2, (ENTRY_MAX - 2) * sizeof *e->changes);
		e->change_count -= 2;
	}
	e->changes[e->change_count++] = what->kind;
}

static void settle_entries(disk *d)
{
	for (int f = 0; f < FILE_COUNT; f++) {
		d->entries[f] = (disk_entry){ .was_there = d->live.files[f].is_there };
		image_set_there(&d->base, f, d->live.files[f].is_there);
	}
}

bool disk_advance(disk *d)
{
	const op *what;

	if (d->at == d->record->op_count)
		return false;
	what = &d->record->ops[d->at];
	switch (what->kind) {
	case OP_WRITE:
		write_to(d, what);
		break;
	case OP_TRUNCATE:
		image_set_len(&d->live, what->file, what->at);
		(void)add_unit(d, what);
		break;
	case OP_SYNC:
		settle(d, what->file, (size_t)what->at, true);
		break;
	case OP_CREATE:
	case OP_DELETE:
		change_entry(d, what);
		break;
	case OP_SYNC_DIRECTORY:
		settle_entries(d);
		break;
	case OP_SYNC_FAILED:
		detach(d, what);
		break;
	default:
		break;
	}
	d->at++;
	return true;
}

/* What was never written: zeros, or what lay there before the file did. */
static void grow(image *i, int file, int64_t len, bool is_garbage, uint64_t *garbage)
{
	int64_t from = i->files[file].len;

	image_set_len(i, file, len);
	for (; is_garbage && from < len; from += 8) {
		*garbage = image_mix(*garbage, (uint64_t)from);
		image_write(i, file, from, garbage, len - from < 8 ? len - from : 8);
	}
}

static void lay_units(disk *d, const cut *c, const bool *is_current, uint64_t garbage)
{
	for (size_t n = 0; n < d->unit_count; n++) {
		const disk_unit *u = &d->units[n];

		if (!is_current[u->file])
			continue;
		if (u->kind == OP_TRUNCATE && c->units[n] && !u->is_forgotten)
			image_set_len(&d->base, u->file, u->len_after);
		for (size_t m = u->sector_first; m < u->sector_first + u->sector_count; m++) {
			const disk_sector *s = &d->sectors[m];

			if (!c->sectors[m] || s->len == 0)
				continue;
			if (s->number * SECTOR_LEN > d->base.files[u->file].len)
				grow(&d->base, u->file, s->number * SECTOR_LEN, c->is_garbage,
				     &garbage);
			image_write(&d->base, u->file, s->number * SECTOR_LEN, s->bytes, s->len);
		}
	}
	for (int f = 0; f < FILE_COUNT; f++)
		if (is_current[f] && c->is_full_length &&
		    d->base.files[f].len < d->live.files[f].len)
			grow(&d->base, f, d->live.files[f].len, c->is_garbage, &garbage);
}

/* Which of the files that had this name the entry leads to: true where it is the newest. */
static bool lay_entry(disk *d, int file, int changes)
{
	const disk_entry *e = &d->entries[file];
	bool is_there = e->was_there;
	int made = 0, made_in_all = 0;

	for (int n = 0; n < e->change_count; n++) {
		bool is_creation = e->changes[n] == OP_CREATE;

		made_in_all += is_creation;
		if (n < changes) {
			is_there = is_creation;
			made += is_creation;
		}
	}
	if (is_there && made == 0 && e->has_ghost)
		image_copy(&d->base, &d->ghost, file);
	else if (made < made_in_all && (made > 0 || !e->was_there))
		is_there = false;
	image_set_there(&d->base, file, is_there);
	return is_there && made == made_in_all && !(made == 0 && e->has_ghost);
}

image *disk_lay(disk *d, const cut *c, uint64_t garbage)
{
	bool is_current[FILE_COUNT];

	image_try(&d->base);
	for (int f = 0; f < FILE_COUNT; f++)
		is_current[f] = lay_entry(d, f, c->changes[f]);
	lay_units(d, c, is_current, garbage);
	return &d->base;
}

void disk_restore(disk *d)
{
	image_undo_all(&d->base);
}
