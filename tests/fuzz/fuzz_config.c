/* SPDX-License-Identifier: MIT */
/*
 * What hosts configure: engines, workers, queues, cron entries, steps of cron entries, retries and
 * filters of steps. The first byte of an input chooses which, the rest is the JSON. Whatever is accepted
 * lies within the limits that docs/CONFIGURATION.md states; whatever is refused names a place.
 */
#include <stdlib.h>

#include "config/cron_config.h"
#include "config/engine_config.h"
#include "config/read_json.h"
#include "config/step_query.h"
#include "config/worker_config.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

#define TEN_YEARS_MS (INT64_C(3653) * 86400000)

static void check_between(int64_t value, int64_t least, int64_t most)
{
	if (value < least || value > most)
		fuzz_fail(__FILE__, __LINE__, "%lld is not from %lld to %lld", (long long)value,
			  (long long)least, (long long)most);
}

static void check_name(sb_slice name, size_t least, size_t most, const char *signs)
{
	fuzz_check(name.len >= least && name.len <= most && fuzz_utf8_is_valid(name));
	for (size_t i = 0; signs != NULL && i < name.len; i++)
		fuzz_check((name.data[i] >= '0' && name.data[i] <= '9') ||
			   ((name.data[i] | 0x20) >= 'a' && (name.data[i] | 0x20) <= 'z') ||
			   strchr(signs, name.data[i]) != NULL);
}

static void check_names(const sb_config_list *list, uint32_t most)
{
	const sb_config_node *node = list->first;

	fuzz_check(list->count <= most);
	for (uint32_t i = 0; i < list->count; i++, node = node->next)
		check_name(node->value.text, 1, 128, "_.:/-");
	fuzz_check(node == NULL);
}

static void check_retry(const sb_retry_config *retry, bool is_of_step)
{
	const int least = is_of_step ? 0 : 1;

	check_between(retry->kind, is_of_step ? STEPBUS_RETRY_DEFAULT : STEPBUS_RETRY_NONE,
		      STEPBUS_RETRY_FIBONACCI);
	check_between(retry->base_ms, least, 86400000);
	check_between(retry->cap_ms, least, INT64_C(30) * 86400000);
	check_between(retry->jitter_percent, 0, 100);
	check_between(retry->attempt_count_max, least, 1000);
	fuzz_check(retry->cap_ms == 0 || retry->base_ms <= retry->cap_ms);
}

static void check_queue(const sb_queue_config *queue)
{
	check_between(queue->rate_period_ms, 0, TEN_YEARS_MS);
	fuzz_check(queue->rate_count == 0 || queue->rate_period_ms > 0);
}

static stepbus_status read_queue(const sb_config_node *root, stepbus_error *err)
{
	sb_queue_config queue = sb_queue_config_default();
	const stepbus_status status = sb_queue_config_change(root, &queue, err);

	if (status == STEPBUS_OK)
		check_queue(&queue);
	return status;
}

static void check_queues(const sb_config_list *queues)
{
	const sb_config_node *node = queues->first;

	fuzz_check(queues->count <= 1024);
	for (uint32_t i = 0; i < queues->count; i++, node = node->next) {
		sb_queue_config queue = sb_queue_config_default();

		check_name(node->key, 1, 128, "_.:/-");
		fuzz_check(sb_queue_config_change(node, &queue, NULL) == STEPBUS_OK);
		check_queue(&queue);
	}
}

static stepbus_status read_engine(const sb_config_node *root, stepbus_error *err)
{
	sb_engine_config c;
	const stepbus_status status = sb_engine_config_read(root, &c, err);

	if (status != STEPBUS_OK)
		return status;
	fuzz_check(c.store_path.len > 0 || sb_slice_is_equal(c.store, sb_slice_z("memory:")));
	fuzz_check(c.store_path.len == 0 ||
		   (memcmp(c.store.data, "sqlite:", 7) == 0 && c.store_path.data[0] != ':' &&
		    memchr(c.store_path.data, '\0', c.store_path.len) == NULL));
	check_between(c.durability, 1, c.store_path.len > 0 ? 3 : 1);
	check_between(c.busy_timeout_ms, 1, 600000);
	check_between(c.lease_ms, 1000, 3600000);
	check_between(c.heartbeat_ms, 1, c.lease_ms / 2);
	check_between(c.poll_ms, 10, 60000);
	check_between(c.wal_alarm_mib, 1, 65536);
	check_between(c.payload_len_max, 1, 64 << 20);
	check_between(c.group_count_max, 1, 100000);
	check_between(c.queue_count_max, 1, 10000000);
	check_between(c.crash_count_max, 1, 100);
	check_between(c.retention.completed_ms, -1, INT64_MAX / 1000);
	check_between(c.retention.failed_ms, -1, INT64_MAX / 1000);
	check_between(c.retention.cancelled_ms, -1, INT64_MAX / 1000);
	check_between(c.breaker.open_ms, 1, 3600000);
	check_retry(&c.retry, false);
	check_queues(&c.queues);
	return status;
}

static stepbus_status read_worker(const sb_config_node *root, stepbus_error *err)
{
	sb_worker_config c;
	const stepbus_status status = sb_worker_config_read(root, &c, err);

	if (status != STEPBUS_OK)
		return status;
	check_name(c.id, 0, 128, NULL);
	check_between(c.strategy, SB_STRATEGY_FIFO, SB_STRATEGY_WEIGHTED_RANDOM);
	check_between(c.block_size, 1, 10000);
	check_between(c.pool_size, 1, 256);
	check_between(c.age_share_percent, 0, 100);
	check_between(c.silence_timeout_ms, 0, TEN_YEARS_MS);
	check_between(c.starvation_ms, 0, TEN_YEARS_MS);
	check_between(c.metrics_period_ms, 0, 3600000);
	check_names(&c.queues, 256);
	check_names(&c.capabilities, 64);
	return status;
}

static void check_step(const sb_step_config *step)
{
	check_name(step->handler, 1, 128, "_.:/-");
	check_name(step->handler_namespace, 1, 128, "_.:/-");
	check_name(step->handler_version, 0, 64, "_.+-");
	check_name(step->queue, 1, 128, "_.:/-");
	check_name(step->correlation_id, 0, 256, NULL);
	check_name(step->concurrency_key, 0, 256, NULL);
	check_between(step->priority, 0, 10000);
	check_between(step->wait_timeout_ms, 0, TEN_YEARS_MS);
	check_between(step->attempt_timeout_ms, 0, TEN_YEARS_MS);
	check_between(step->total_timeout_ms, 0, TEN_YEARS_MS);
	check_names(&step->tags, 64);
	check_retry(&step->retry, true);
}

static stepbus_status read_step(const sb_config_node *root, stepbus_error *err)
{
	sb_step_config step;
	const stepbus_status status = sb_step_config_read(root, &step, err);

	if (status == STEPBUS_OK)
		check_step(&step);
	return status;
}

static stepbus_status read_cron(const sb_config_node *root, stepbus_error *err)
{
	sb_cron_config c;
	sb_step_config again;
	sb_config_tree *tree = NULL;
	const stepbus_status status = sb_cron_config_read(root, &c, err);

	if (status != STEPBUS_OK)
		return status;
	check_name(c.name, 1, 128, "_.:/-");
	check_name(c.expression, 1, 256, NULL);
	check_name(c.zone, 1, 64, "_/+-");
	check_between(c.catch_up, SB_CATCH_UP_NONE, SB_CATCH_UP_ALL);
	check_step(&c.step);
	/* What is kept of the step reads the same again. */
	fuzz_check(sb_json_read_tree(fuzz_host(), c.step_json, &tree, err) == STEPBUS_OK);
	fuzz_check(sb_step_config_read(sb_config_tree_root(tree), &again, err) == STEPBUS_OK);
	fuzz_check(sb_slice_is_equal(again.handler, c.step.handler));
	fuzz_check(sb_slice_is_equal(again.input, c.step.input));
	fuzz_check(again.priority == c.step.priority && again.tags.count == c.step.tags.count);
	sb_config_tree_free(tree);
	return status;
}

static stepbus_status read_query(const sb_config_node *root, stepbus_error *err)
{
	sb_step_query query;
	const stepbus_status status = sb_step_query_read(root, &query, err);

	if (status != STEPBUS_OK)
		return status;
	fuzz_check((query.states & ~0x3FEu) == 0);
	check_between(query.limit, 1, 1000);
	check_name(query.queue, 0, 128, "_.:/-");
	check_name(query.tag, 0, 128, "_.:/-");
	check_name(query.cursor, 0, 128, "_.-");
	check_between(query.created_from_us, 0, INT64_C(253402300799999999));
	check_between(query.created_to_us, 0, INT64_C(253402300799999999));
	return status;
}

/* Names a place in the document, in UTF-8, unless it was memory that was missing. */
static void check_refusal(stepbus_status status, const stepbus_error *err)
{
	fuzz_check(status == STEPBUS_EINVAL && err->code == status);
	fuzz_check(fuzz_utf8_is_valid(sb_slice_z(err->message)));
	fuzz_check(strncmp(err->message, "line ", 5) == 0 || strstr(err->message, "bytes") != NULL);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static stepbus_status (*const readers[])(const sb_config_node *root, stepbus_error *err) = {
		read_engine, read_worker, read_queue, read_cron, read_step, read_query
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	stepbus_status status;
	fuzz_feed feed;
	uint32_t reader;

	fuzz_feed_begin(&feed, bytes, len);
	reader = fuzz_feed_below(&feed, sizeof readers / sizeof *readers);
	status = sb_json_read_tree(fuzz_host(), fuzz_feed_rest(&feed), &tree, &err);
	if (status == STEPBUS_OK)
		status = readers[reader](sb_config_tree_root(tree), &err);
	if (status != STEPBUS_OK)
		check_refusal(status, &err);
	sb_config_tree_free(tree);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
