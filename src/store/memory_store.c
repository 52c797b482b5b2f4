/* SPDX-License-Identifier: MIT */
#include "store/memory_store.h"

static uintptr_t this_thread(void)
{
	return (uintptr_t)pthread_self();
}

static bool is_inside(sb_memory_store *store)
{
	/* Only the owner itself can read its own name here, so no order is needed. */
	return atomic_load_explicit(&store->owner, memory_order_relaxed) == this_thread();
}

bool sb_memory_read_begin(sb_memory_store *store)
{
	if (is_inside(store))
		return false;
	sb_assert(pthread_rwlock_rdlock(&store->lock) == 0);
	return true;
}

void sb_memory_read_end(sb_memory_store *store, bool is_locked)
{
	if (is_locked)
		pthread_rwlock_unlock(&store->lock);
}

static stepbus_status begin(sb_store *base, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);

	(void)err;
	sb_assert(pthread_rwlock_wrlock(&store->lock) == 0);
	atomic_store_explicit(&store->owner, this_thread(), memory_order_relaxed);
	return STEPBUS_OK;
}

static void end(sb_memory_store *store)
{
	atomic_store_explicit(&store->owner, 0, memory_order_relaxed);
	pthread_rwlock_unlock(&store->lock);
}

static stepbus_status commit(sb_store *base, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);

	(void)err;
	sb_assert(is_inside(store));
	sb_memory_changes_keep(store);
	atomic_fetch_add_explicit(&store->commit_count, 1, memory_order_relaxed);
	end(store);
	return STEPBUS_OK;
}

static void rollback(sb_store *base)
{
	sb_memory_store *store = sb_memory_of(base);

	sb_assert(is_inside(store));
	sb_memory_changes_undo(store);
	end(store);
}

static bool has_changed(sb_store *base)
{
	(void)base;
	return false;
}

static stepbus_status confirm(sb_store *base, stepbus_error *err)
{
	(void)base;
	(void)err;
	return STEPBUS_OK;
}

static void stats(sb_store *base, sb_store_stats *out)
{
	*out = (sb_store_stats){ .commit_count = atomic_load_explicit(
					 &sb_memory_of(base)->commit_count, memory_order_relaxed) };
}

static void free_steps(sb_memory_store *store)
{
	sb_order_node *node;

	while ((node = sb_order_first(&store->chunks)) != NULL) {
		sb_memory_chunk *chunk = SB_ORDER_OWNER(node, sb_memory_chunk, node);

		/* The last one of its steps takes the chunk with it. */
		for (size_t i = 0, left = chunk->count; left > 0; i++)
			if (chunk->steps[i] != NULL) {
				left--;
				sb_memory_unlink(store, chunk->steps[i]);
				sb_memory_step_free(store, chunk->steps[i]);
			}
	}
}

static void close_store(sb_store *base)
{
	sb_memory_store *store = sb_memory_of(base);
	const stepbus_host *host;

	if (store == NULL)
		return;
	host = store->base.host;
	free_steps(store);
	sb_memory_names_free(store);
	sb_memory_workers_free(store);
	sb_memory_changes_end(store);
	pthread_rwlock_destroy(&store->lock);
	sb_release(host, store);
}

void *sb_memory_block(sb_memory_store *store, size_t struct_len, const sb_slice *const *texts,
		      size_t count)
{
	size_t len = struct_len;

	for (size_t i = 0; i < count; i++) {
		if (texts[i]->len > SIZE_MAX - len)
			return NULL;
		len += texts[i]->len;
	}
	return sb_alloc(store->base.host, len);
}

char *sb_memory_move_text(char *to, sb_slice *text)
{
	if (text->len > 0)
		memcpy(to, text->data, text->len);
	text->data = to;
	return to + text->len;
}

static const sb_store_type memory_type = {
	.name = "memory",
	.close = close_store,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.has_changed = has_changed,
	.confirm = confirm,
	.queue_intern = sb_memory_queue_intern,
	.handler_intern = sb_memory_handler_intern,
	.queue_read = sb_memory_queue_read,
	.handler_read = sb_memory_handler_read,
	.handler_record = sb_memory_handler_record,
	.handler_is_recorded = sb_memory_handler_is_recorded,
	.step_insert = sb_memory_step_insert,
	.step_row_read = sb_memory_step_row_read,
	.step_status_read = sb_memory_step_status_read,
	.step_move = sb_memory_step_move,
	.step_scan = sb_memory_step_scan,
	.step_delete = sb_memory_step_delete,
	.lane_next = sb_memory_lane_next,
	.park_next = sb_memory_park_next,
	.due_next = sb_memory_due_next,
	.running_count = sb_memory_running_count,
	.attempt_put = sb_memory_attempt_put,
	.result_put = sb_memory_result_put,
	.checkpoint_put = sb_memory_checkpoint_put,
	.checkpoint_read = sb_memory_checkpoint_read,
	.checkpoint_delete = sb_memory_checkpoint_delete,
	.unique_find = sb_memory_unique_find,
	.unique_put = sb_memory_unique_put,
	.queue_write = sb_memory_queue_write,
	.queue_list = sb_memory_queue_list,
	.worker_insert = sb_memory_worker_insert,
	.worker_update = sb_memory_worker_update,
	.worker_delete = sb_memory_worker_delete,
	.worker_list = sb_memory_worker_list,
	.served_put = sb_memory_served_put,
	.served_list = sb_memory_served_list,
	.cron_put = sb_memory_cron_put,
	.cron_delete = sb_memory_cron_delete,
	.cron_list = sb_memory_cron_list,
	.step_view = sb_memory_step_view,
	.step_list = sb_memory_step_list,
	.step_count = sb_memory_step_count,
	.attempt_list = sb_memory_attempt_list,
	.tally = sb_memory_tally,
	.queue_find = sb_memory_queue_find,
	.stats = stats,
};

/* A writer that waits goes before readers that come after it: many of them would starve it. */
static void make_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	sb_assert(pthread_rwlockattr_init(&attributes) == 0);
#ifdef __GLIBC__
	sb_assert(pthread_rwlockattr_setkind_np(&attributes,
						PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
#endif
	sb_assert(pthread_rwlock_init(lock, &attributes) == 0);
	pthread_rwlockattr_destroy(&attributes);
}

/* The tag stands in ids of the form UUIDv8, whose version and variant are these bits. */
static stepbus_status draw_tag(sb_store *base, stepbus_error *err)
{
	stepbus_status status = sb_random_fill(base->host, base->tag, sizeof base->tag, err);

	base->tag[0] = (uint8_t)((base->tag[0] & 0x0f) | 0x80);
	base->tag[2] = (uint8_t)((base->tag[2] & 0x3f) | 0x80);
	return status;
}

stepbus_status sb_memory_store_open(const sb_store_options *options, sb_store **out,
				    stepbus_error *err)
{
	sb_memory_store *store = sb_alloc(options->host, sizeof *store);
	stepbus_status status;

	*out = NULL;
	if (store == NULL)
		return sb_fail_memory(err, "open a store in memory");
	store->base.type = &memory_type;
	store->base.host = options->host;
	status = draw_tag(&store->base, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&store->queue_map, options->host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&store->family_map, options->host, err);
	if (status == STEPBUS_OK)
		status = sb_map_init(&store->key_map, options->host, err);
	if (status != STEPBUS_OK) {
		sb_release(options->host, store);
		return status;
	}
	make_lock(&store->lock);
	*out = &store->base;
	return STEPBUS_OK;
}
