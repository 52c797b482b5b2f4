/* SPDX-License-Identifier: MIT */
/* What workers, cron entries, steps and queries may say. */
#include <string.h>

#include "config/cron_config.h"
#include "config/step_query.h"
#include "config/worker_config.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/tree.h"

static bool is_text(sb_slice text, const char *wanted)
{
	return sb_slice_is_equal(text, sb_slice_z(wanted));
}

static void a_worker_has_defaults_for_all(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_worker_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, "{}");
	assert_int_equal(sb_worker_config_read(sb_config_tree_root(tree), &config, &err), 0);
	assert_int_equal(config.id.len, 0);
	assert_int_equal(config.strategy, SB_STRATEGY_PRIORITY);
	assert_int_equal(config.block_size, 256);
	assert_int_equal(config.pool_size, 2);
	assert_int_equal(config.age_share_percent, 10);
	assert_int_equal(config.queues.count, 0);
	assert_int_equal(config.capabilities.count, 0);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_worker_is_read_as_it_is_given(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_worker_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(
		&t, "{\"id\":\"w 1\",\"strategy\":\"weighted_random\",\"queues\":[\"a\",\"b\"],"
		    "\"capabilities\":[\"gpu\"],\"block_size\":10000,\"pool_size\":1,"
		    "\"age_share_percent\":0}");
	assert_int_equal(sb_worker_config_read(sb_config_tree_root(tree), &config, &err), 0);
	assert_true(is_text(config.id, "w 1"));
	assert_int_equal(config.strategy, SB_STRATEGY_WEIGHTED_RANDOM);
	assert_int_equal(config.queues.count, 2);
	assert_true(is_text(config.queues.first->next->value.text, "b"));
	assert_true(is_text(config.capabilities.first->value.text, "gpu"));
	assert_int_equal(config.block_size, 10000);
	assert_int_equal(config.age_share_percent, 0);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_cron_entry_is_read_with_its_step(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_cron_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t,
			 "{\"name\":\"nightly\",\"expression\":\"0 3 * * *\",\"step\":{\"handler\":"
			 "\"report.build\",\"input\":{ \"n\":9007199254740993 },\"tags\":[\"x\"],"
			 "\"retry\":{\"attempt_count_max\":7}}}");
	assert_int_equal(sb_cron_config_read(sb_config_tree_root(tree), &config, &err), 0);
	assert_true(is_text(config.name, "nightly"));
	assert_true(is_text(config.expression, "0 3 * * *"));
	assert_true(is_text(config.zone, "UTC"));
	assert_int_equal(config.catch_up, SB_CATCH_UP_ONE);
	assert_false(config.is_paused);
	assert_true(is_text(config.step.handler, "report.build"));
	assert_true(is_text(config.step.handler_namespace, "default"));
	assert_true(is_text(config.step.queue, "default"));
	assert_true(is_text(config.step.input, "{ \"n\":9007199254740993 }"));
	assert_int_equal(config.step.step_config.len, 0);
	assert_int_equal(config.step.priority, 100);
	assert_int_equal(config.step.tags.count, 1);
	assert_int_equal(config.step.retry.kind, STEPBUS_RETRY_DEFAULT);
	assert_int_equal(config.step.retry.attempt_count_max, 7);
	assert_int_equal(config.step.retry.base_ms, 0);
	assert_int_equal(config.step.wait_timeout_ms, 0);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_step_that_was_kept_is_read_again(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	char kept[128] = "";
	sb_cron_config config;
	sb_step_config step;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(
		&t, "{\"name\":\"n\",\"expression\":\"@daily\",\"step\": {\"handler\":\"h\\u0061\","
		    "\"input\":[1]} }");
	assert_int_equal(sb_cron_config_read(sb_config_tree_root(tree), &config, &err), 0);
	memcpy(kept, config.step_json.data, config.step_json.len);
	sb_config_tree_free(tree);
	assert_string_equal(kept, "{\"handler\":\"h\\u0061\",\"input\":[1]}");
	tree = test_tree(&t, kept);
	assert_int_equal(sb_step_config_read(sb_config_tree_root(tree), &step, &err), 0);
	assert_true(is_text(step.handler, "ha"));
	assert_true(is_text(step.input, "[1]"));
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_query_asks_for_all_unless_it_says_more(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_step_query query;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	memset(&query, 0xA5, sizeof query);
	test_host_init(&t);
	tree = test_tree(&t, "{}");
	assert_int_equal(sb_step_query_read(sb_config_tree_root(tree), &query, &err), 0);
	assert_int_equal(query.states, 0);
	assert_int_equal(query.limit, 100);
	assert_int_equal(query.queue.len + query.handler.len + query.handler_namespace.len, 0);
	assert_int_equal(query.tag.len + query.correlation_id.len + query.cursor.len, 0);
	assert_int_equal(query.created_from_us, 0);
	assert_int_equal(query.created_to_us, 0);
	assert_false(query.is_ascending);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_query_is_read_as_it_is_given(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_step_query query;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t,
			 "{\"state\":[\"ready\",\"failed\"],\"queue\":\"mail\",\"handler\":\"h\","
			 "\"handler_namespace\":\"n\",\"tag\":\"t\",\"correlation_id\":\"c=1\","
			 "\"created_from\":\"1970-01-01T01:00:00+01:00\",\"created_to\":1,"
			 "\"cursor\":\"abc\",\"limit\":1000,\"order\":\"oldest\"}");
	assert_int_equal(sb_step_query_read(sb_config_tree_root(tree), &query, &err), 0);
	assert_int_equal(query.states, 1 << 3 | 1 << 7);
	assert_true(is_text(query.queue, "mail"));
	assert_true(is_text(query.correlation_id, "c=1"));
	assert_int_equal(query.created_from_us, 0);
	assert_int_equal(query.created_to_us, 1);
	assert_int_equal(query.limit, 1000);
	assert_true(query.is_ascending);
	sb_config_tree_free(tree);
	tree = test_tree(&t, "{\"state\":\"quarantined\",\"order\":\"newest\"}");
	assert_int_equal(sb_step_query_read(sb_config_tree_root(tree), &query, &err), 0);
	assert_int_equal(query.states, 1 << 9);
	assert_false(query.is_ascending);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

typedef stepbus_status (*read_fn)(const sb_config_node *root, void *out, stepbus_error *err);

static stepbus_status read_worker(const sb_config_node *root, void *out, stepbus_error *err)
{
	return sb_worker_config_read(root, out, err);
}

static stepbus_status read_cron(const sb_config_node *root, void *out, stepbus_error *err)
{
	return sb_cron_config_read(root, out, err);
}

static stepbus_status read_query(const sb_config_node *root, void *out, stepbus_error *err)
{
	return sb_step_query_read(root, out, err);
}

typedef struct bad_row {
	read_fn read;
	const char *json;
	const char *message; /* how it begins */
} bad_row;

static const bad_row bad[] = {
	{ read_worker, "{\"id\":\"\"}",
	  "line 1, column 7: id is \"\": it must be a text of 1 to 128 bytes" },
	{ read_worker, "{\"strategy\":\"random\"}",
	  "line 1, column 13: strategy is \"random\": it must be one of fifo, lifo, priority, "
	  "weighted_random" },
	{ read_worker, "{\"queues\":\"mail\"}",
	  "line 1, column 11: queues is \"mail\": it must be an array of 0 to 256 elements" },
	{ read_worker, "{\"queues\":[\"a\",\"\"]}",
	  "line 1, column 16: queues[1] is \"\": it must be a text of 1 to 128 of "
	  "[A-Za-z0-9_.:/-]" },
	{ read_worker, "{\"capabilities\":[\"a,b\"]}",
	  "line 1, column 18: capabilities[0] is \"a,b\": it must be a text of 1 to 128 of " },
	{ read_worker, "{\"pool_size\":257}",
	  "line 1, column 14: pool_size is 257: it must be a whole number from 1 to 256" },
	{ read_worker, "{\"poolsize\":2}",
	  "line 1, column 2: there is no key poolsize (did you mean pool_size?); the keys here are "
	  "id, "
	  "strategy, queues, capabilities, block_size, pool_size, age_share_percent" },
	{ read_worker, "{\"lease_ms\":1000}", "line 1, column 2: there is no key lease_ms" },
	{ read_cron, "{\"name\":\"n\",\"expression\":\"x\"}",
	  "line 1, column 1: the key step is missing: it must be an object" },
	{ read_cron, "{\"name\":\"n\",\"expression\":\"x\",\"step\":{}}",
	  "line 1, column 37: the key step.handler is missing: it must be a text of 1 to 128 of " },
	{ read_cron,
	  "{\"name\":\"n\",\"expression\":\"x\",\"step\":{\"handler\":\"h\",\"priority\":-1}}",
	  "line 1, column 63: step.priority is -1: it must be a whole number from 0 to 10000" },
	{ read_cron,
	  "{\"name\":\"n\",\"expression\":\"x\",\"step\":{\"handler\":\"h\",\"retry\":{\"base_ms\":"
	  "2,"
	  "\"cap_ms\":1}}}",
	  "line 1, column 71: base_ms is 2: it must be at most cap_ms, which is 1" },
	{ read_cron,
	  "{\"name\":\"n\",\"expression\":\"x\",\"step\":{\"handler\":\"h\"},\"zone\":\"Mars;\"}",
	  "line 1, column 60: zone is \"Mars;\": it must be a text of 1 to 64 of [A-Za-z0-9_/+-]" },
	{ read_cron,
	  "{\"name\":\"n\",\"expression\":\"x\",\"step\":{\"handler\":\"h\",\"store\":\"x\"}}",
	  "line 1, column 52: there is no key step.store" },
	{ read_query, "{\"state\":\"done\"}",
	  "line 1, column 10: state is \"done\": it must be one or an array of waiting, "
	  "scheduled, " },
	{ read_query, "{\"limit\":0}",
	  "line 1, column 10: limit is 0: it must be a whole number from 1 to 1000" },
	{ read_query, "{\"limit\":1001}", "line 1, column 10: limit is 1001: it must be " },
	{ read_query, "{\"created_from\":5,\"created_to\":5}",
	  "line 1, column 32: created_to is not after created_from" },
	{ read_query, "{\"created_from\":\"2026-02-30T00:00:00Z\"}",
	  "line 1, column 17: created_from is \"2026-02-30T00:00:00Z\": it must be a time such "
	  "as " },
	{ read_query, "{\"cursor\":\"a b\"}", "line 1, column 11: cursor is \"a b\": it must be " },
	{ read_query, "{\"order\":\"up\"}",
	  "line 1, column 10: order is \"up\": it must be one of newest, oldest" },
	{ read_query, "[]",
	  "line 1, column 1: the configuration is an array: it must be an object" },
};

static void faults_are_told_as_the_table_says(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_config_tree *tree = test_tree(&t, bad[i].json);
		union {
			sb_worker_config worker;
			sb_cron_config cron;
			sb_step_query query;
		} out;

		assert_int_equal(bad[i].read(sb_config_tree_root(tree), &out, &err),
				 STEPBUS_EINVAL);
		if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("%s\n  is told as %s\n  instead of %s", bad[i].json, err.message,
				 bad[i].message);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_has_defaults_for_all),
		cmocka_unit_test(a_worker_is_read_as_it_is_given),
		cmocka_unit_test(a_cron_entry_is_read_with_its_step),
		cmocka_unit_test(a_step_that_was_kept_is_read_again),
		cmocka_unit_test(a_query_asks_for_all_unless_it_says_more),
		cmocka_unit_test(a_query_is_read_as_it_is_given),
		cmocka_unit_test(faults_are_told_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
