/* SPDX-License-Identifier: MIT */
/*
 * What a disk may hold at each moment of a record. Three layers: base is what is certain, since it
 * was synced behind its writing; units are what was done since, in its order; live is all of it, as
 * programs see it. A power cut leaves base with some of the units, as a cut says:
 *
 *   - of each unsynced write any of its sectors of 512 bytes may be there or not, whatever was
 *     written before or behind it; of a sector that was written more than once, any of its contents;
 *   - an unsynced truncation, and an unsynced growth, may be there or not; what a file grew by and
 *     was not written is zeros, or whatever lay on the disk;
 *   - creating and deleting a file is certain once the directory was synced, and until then may be
 *     there or not, for each file by itself; a file whose creation is lost is gone with all that
 *     was synced of it;
 *   - the index of the log is never there.
 */
#ifndef TESTS_TORTURE_POWER_DISK_H
#define TESTS_TORTURE_POWER_DISK_H

#include "torture/power/image.h"

enum { ENTRY_MAX = 8 };

/* The content of a sector behind one of the unsynced operations. */
typedef struct disk_sector {
	int64_t number;
	size_t unit;
	int32_t len; /* of the sector that is inside the file */
	uint8_t bytes[SECTOR_LEN];
} disk_sector;

/* An unsynced write or truncation. */
typedef struct disk_unit {
	op_kind kind;
	int file;
	size_t op;
	int64_t len_after;
	bool is_detached;  /* its sync failed: no later one will make it certain */
	bool is_forgotten; /* a truncation of these that can be seen no more */
	size_t sector_first, sector_count;
} disk_unit;

/* What was done to a directory entry since the directory was synced. */
typedef struct disk_entry {
	bool was_there;
	int change_count;
	op_kind changes[ENTRY_MAX];
	bool has_ghost; /* the file that was certain and is deleted; its content is in ghost */
} disk_entry;

typedef struct disk {
	const record *record;
	size_t at; /* operations done */
	bool has_detached;
	image base;
	image live;
	image ghost;
	disk_unit *units;
	size_t unit_count, unit_room;
	disk_sector *sectors;
	size_t sector_count, sector_room;
	disk_entry entries[FILE_COUNT];
} disk;

/* What a power cut leaves of what is not certain. */
typedef struct cut {
	bool *units;   /* truncations that are there */
	bool *sectors; /* sectors that are there */
	size_t unit_room, sector_room;
	int changes[FILE_COUNT]; /* so many changes of the entry are there */
	bool is_full_length;     /* files are as long as they were, whatever of them is there */
	bool is_garbage;         /* what was never written is not zeros */
} cut;

void disk_open(disk *d, const record *r);
void disk_close(disk *d);
/* Does the next operation; false: there is none. */
bool disk_advance(disk *d);
/* What the cut leaves: base, changed, until disk_restore. */
image *disk_lay(disk *d, const cut *c, uint64_t garbage);
void disk_restore(disk *d);

#endif
