/* SPDX-License-Identifier: MIT */
#include "torture/power/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/power/cuts.h"
#include "torture/power/pages.h"
#include "torture/power/revive.h"

enum { TOLD_MAX = 3, THOROUGH_EACH = 8, SAME_BOOT_EACH = 4 };

typedef struct trial {
	const trial_options *options;
	tally *tally;
	record record;
	disk disk;
	judge judge;
	cuts cuts;
	uint64_t states;
	uint64_t *seen; /* a table of hashes; 0: empty */
	size_t seen_room;
	size_t seen_count;
	int told;
} trial;

uint64_t tally_faults(const tally *t)
{
	uint64_t sum = t->unrevived + t->broken + t->untrue;

	for (int f = 1; f < FAULT_COUNT; f++)
		sum += t->faults[f];
	return sum;
}

static void put(uint64_t *table, size_t room, uint64_t hash)
{
	size_t at = hash % room;

	while (table[at] != 0)
		at = (at + 1) % room;
	table[at] = hash;
}

static bool is_new(trial *t, uint64_t hash)
{
	size_t at;

	hash |= 1;
	if ((t->seen_count + 1) * 2 > t->seen_room) {
		size_t room = t->seen_room > 0 ? t->seen_room * 2 : 4096;
		uint64_t *table = calloc(room, sizeof *table);

		if (table == NULL)
			exit(2);
		for (size_t i = 0; i < t->seen_room; i++)
			if (t->seen[i] != 0)
				put(table, room, t->seen[i]);
		free(t->seen);
		t->seen = table;
		t->seen_room = room;
	}
	for (at = hash % t->seen_room; t->seen[at] != 0; at = (at + 1) % t->seen_room)
		if (t->seen[at] == hash)
			return false;
	t->seen[at] = hash;
	t->seen_count++;
	return true;
}

static void tell_cut(const trial *t, const image *state)
{
	const cut *c = &t->cuts.now;
	size_t kept = 0;

	/* What programs see is not cut. */
	if (state == NULL || state == &t->disk.live)
		return;
	for (size_t i = 0; i < t->disk.sector_count; i++)
		kept += c->sectors[i];
	(void)printf("  the cut: %zu of %zu unsynced sectors of %zu writes are there;", kept,
		     t->disk.sector_count, t->disk.unit_count);
	for (int f = 0; f < FILE_COUNT; f++)
		(void)printf(" file %d: %d of %d changes of its entry;", f, c->changes[f],
			     t->disk.entries[f].change_count);
	(void)printf("%s%s\n", c->is_full_length ? " full length" : "",
		     c->is_garbage ? ", garbage" : "");
}

/* Says what is wrong, and keeps the files of it. */
static void tell(trial *t, const char *what, const image *state)
{
	const trial_options *o = t->options;
	char path[512];

	if (o->is_quiet || t->told++ >= TOLD_MAX)
		return;
	(void)snprintf(path, sizeof path, "%s/wrong-%d-%d.db", o->directory, o->number, t->told);
	if (state != NULL && !image_save(state, path))
		path[0] = '\0';
	(void)printf("%s: workload %d (seed %llu, flags %u), behind operation %zu of %zu: %s; %s\n",
		     what, o->number, (unsigned long long)o->workload.seed, o->workload.flags,
		     t->disk.at, t->record.op_count, t->judge.message, state != NULL ? path : "");
	tell_cut(t, state);
	(void)fflush(stdout);
}

static void find(trial *t, fault f, const image *state)
{
	if (f == FAULT_NONE)
		return;
	t->tally->faults[f]++;
	tell(t, fault_name(f), state);
}

static void try_revival(trial *t, image *state, int index)
{
	bool is_same_boot = t->tally->revived % SAME_BOOT_EACH == 0;
	char path[512];

	(void)snprintf(path, sizeof path, "%s/revived-%d.db", t->options->directory,
		       t->options->number);
	t->tally->revived++;
	if (!image_save(state, path) || !revive(path, &t->judge.versions[index].facts, is_same_boot,
						t->judge.message, sizeof t->judge.message)) {
		t->tally->unrevived++;
		tell(t, "not worked off", state);
	}
	workload_clear(path);
}

static void look_closer(trial *t, image *state, int index)
{
	const trial_options *o = t->options;
	uint64_t random = cuts_draw(&t->cuts.random, UINT32_MAX);

	if (o->reread_each > 0 && random % o->reread_each == 0) {
		t->tally->reread++;
		find(t,
		     judge_rows(&t->judge, state, index,
				random / o->reread_each % THOROUGH_EACH == 0),
		     state);
	}
	/* The first one, so that a short run does not go without; then those that are drawn. */
	if (o->revive_each > 0 &&
	    (t->tally->revived == 0 || random % o->revive_each == 1 % o->revive_each))
		try_revival(t, state, index);
}

static void flip(trial *t, image *state)
{
	image_file *f = &state->files[FILE_DATABASE];
	uint64_t pages = (uint64_t)f->len / PAGE_LEN;
	int64_t at;
	uint8_t byte;

	if (pages < 2)
		return;
	at = (int64_t)(cuts_draw(&t->cuts.random, pages) * PAGE_LEN + 2000);
	byte = f->bytes[at] ^ 1;
	image_write(state, FILE_DATABASE, at, &byte, 1);
}

static void try_state(trial *t)
{
	image *state = disk_lay(&t->disk, &t->cuts.now, cuts_draw(&t->cuts.random, UINT32_MAX));
	int index = -1;
	fault found;

	if (t->options->is_flipped)
		flip(t, state);
	t->states++;
	t->tally->states++;
	t->tally->distinct += is_new(t, image_hash(state));
	found = judge_state(&t->judge, state, &index);
	t->tally->older += index >= 0 && index + 1 < (int)t->judge.version_count;
	if (found == FAULT_LOST)
		t->tally->lost += judge_count_lost(&t->judge, t->disk.at, index);
	find(t, found, state);
	disk_restore(&t->disk);
	if (found == FAULT_NONE) {
		state = disk_lay(&t->disk, &t->cuts.now, 1);
		look_closer(t, state, index);
		disk_restore(&t->disk);
	}
}

/* Whether what programs see may be another database than one operation ago. */
static bool may_commit(const disk *d)
{
	const op *last = d->at > 0 ? &d->record->ops[d->at - 1] : NULL;

	if (last == NULL)
		return true;
	/* Even the head of a frame may: its page can lie there from the log before. */
	return last->kind != OP_SYNC && last->kind != OP_SYNC_DIRECTORY &&
	       last->kind != OP_SYNC_FAILED;
}

static void walk(trial *t)
{
	const trial_options *o = t->options;

	do {
		/* Acknowledgements come without an operation too. */
		find(t,
		     judge_advance(&t->judge, may_commit(&t->disk) ? &t->disk.live : NULL,
				   t->disk.at),
		     &t->disk.live);
		if (o->workload.fail_sync > 0 && !t->disk.has_detached)
			continue;
		cuts_begin(&t->cuts, &t->disk, o->drawn);
		while (t->states < o->states_max && cuts_next(&t->cuts, &t->disk))
			try_state(t);
	} while (t->states < o->states_max && disk_advance(&t->disk));
}

void trial_run(const trial_options *o, tally *t)
{
	trial now = { .options = o, .tally = t };
	workload_result result;

	record_open(&now.record);
	workload_run(&now.record, &o->workload, &result);
	t->workloads++;
	t->operations += now.record.op_count;
	t->acknowledgements += now.record.ack_count;
	disk_open(&now.disk, &now.record);
	judge_open(&now.judge, &now.record);
	now.cuts.random = o->workload.seed;
	if (!result.is_done) {
		(void)snprintf(now.judge.message, sizeof now.judge.message, "%.200s",
			       result.message);
		t->broken++;
		tell(&now, "not done", NULL);
	}
	walk(&now);
	t->struck += result.has_failed;
	t->refused += result.refused;
	t->untrue += result.succeeded;
	t->anew += result.is_anew;
	t->anew_acks += result.anew_acks;
	/* What programs see is sound too. */
	if (result.has_failed && now.judge.version_count > 0)
		try_revival(&now, &now.disk.live, (int)now.judge.version_count - 1);
	t->versions += now.judge.version_count;
	cuts_free(&now.cuts);
	free(now.seen);
	judge_close(&now.judge);
	disk_close(&now.disk);
	record_close(&now.record);
}
