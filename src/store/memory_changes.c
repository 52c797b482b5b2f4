/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

enum { BLOCK_LEN = 63 };

typedef struct sb_memory_change_block {
	struct sb_memory_change_block *before;
	size_t count;
	sb_memory_change changes[BLOCK_LEN];
} change_block;

sb_memory_change *sb_memory_change_room(sb_memory_store *store)
{
	change_block *last = store->changes.last;

	if (sb_likely(last != NULL && last->count < BLOCK_LEN))
		return &last->changes[last->count];
	last = sb_alloc(store->base.host, sizeof *last);
	if (last == NULL)
		return NULL;
	last->before = store->changes.last;
	store->changes.last = last;
	return &last->changes[0];
}

void sb_memory_change_note(sb_memory_store *store, const sb_memory_change *change)
{
	store->changes.last->count++;
	store->changes.keep_count += change->keep != NULL;
}

/* One block is kept for the next transaction; an idle store has that one. */
static void empty(sb_memory_store *store)
{
	change_block *last = store->changes.last;

	while (last != NULL && last->before != NULL) {
		change_block *before = last->before;

		sb_release(store->base.host, last);
		last = before;
	}
	if (last != NULL)
		last->count = 0;
	store->changes.last = last;
	store->changes.keep_count = 0;
}

void sb_memory_changes_keep(sb_memory_store *store)
{
	change_block *block = store->changes.keep_count > 0 ? store->changes.last : NULL;

	/* What is taken away for good is taken away by nobody else: any order will do. */
	for (; block != NULL; block = block->before)
		for (size_t i = 0; i < block->count; i++)
			if (block->changes[i].keep != NULL)
				block->changes[i].keep(store, &block->changes[i]);
	empty(store);
}

void sb_memory_changes_undo(sb_memory_store *store)
{
	for (change_block *block = store->changes.last; block != NULL; block = block->before)
		for (size_t i = block->count; i > 0; i--)
			block->changes[i - 1].undo(store, &block->changes[i - 1]);
	empty(store);
}

void sb_memory_changes_end(sb_memory_store *store)
{
	empty(store);
	sb_release(store->base.host, store->changes.last);
	store->changes.last = NULL;
}
