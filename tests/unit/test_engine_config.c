/* SPDX-License-Identifier: MIT */
#include "config/engine_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/read_json.h"
#include "support/cmocka.h"
#include "support/famine.h"
#include "support/host.h"
#include "support/tree.h"

static bool is_text(sb_slice text, const char *wanted)
{
	return sb_slice_is_equal(text, sb_slice_z(wanted));
}

static void a_store_is_all_that_must_be_said(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_engine_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	memset(&config, 0xA5, sizeof config);
	test_host_init(&t);
	tree = test_tree(&t, "{\"store\":\"sqlite:a dir/jobs.db\"}");
	assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
			 STEPBUS_OK);
	assert_true(is_text(config.store, "sqlite:a dir/jobs.db"));
	assert_true(is_text(config.store_path, "a dir/jobs.db"));
	assert_int_equal(config.durability, SB_CONFIG_DURABILITY_DISK);
	assert_false(config.is_network_allowed);
	assert_false(config.is_strict);
	assert_int_equal(config.busy_timeout_ms, 5000);
	assert_int_equal(config.lease_ms, 30000);
	assert_int_equal(config.heartbeat_ms, 10000);
	assert_int_equal(config.poll_ms, 500);
	assert_int_equal(config.wal_alarm_mib, 256);
	assert_int_equal(config.payload_len_max, 1048576);
	assert_int_equal(config.group_count_max, 4096);
	assert_int_equal(config.queue_count_max, 65536);
	assert_int_equal(config.crash_count_max, 3);
	assert_int_equal(config.retention.completed_ms, INT64_C(604800000));
	assert_int_equal(config.retention.failed_ms, INT64_C(2592000000));
	assert_int_equal(config.retention.cancelled_ms, INT64_C(604800000));
	assert_int_equal(config.retention.sweep_count_max, 1000);
	assert_int_equal(config.retry.kind, STEPBUS_RETRY_EXPONENTIAL);
	assert_int_equal(config.retry.base_ms, 1000);
	assert_int_equal(config.retry.cap_ms, 300000);
	assert_int_equal(config.retry.jitter_percent, 10);
	assert_int_equal(config.retry.attempt_count_max, 3);
	assert_int_equal(config.queues.count, 0);
	assert_null(config.queues.first);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static const char full[] =
	"{\"store\":\"memory:\",\"durability\":\"memory\",\"busy_timeout_ms\":1,"
	"\"allow_network_fs\":true,\"wal_alarm_mib\":65536,\"payload_len_max\":67108864,"
	"\"strict_handlers\":true,\"lease_ms\":1000,\"heartbeat_ms\":500,\"poll_ms\":10,"
	"\"group_count_max\":100000,\"queue_count_max\":10000000,\"crash_count_max\":100,"
	"\"retention\":{\"completed_ms\":null,\"failed_ms\":-1,\"cancelled_ms\":0,"
	"\"sweep_count_max\":1},"
	"\"retry\":{\"kind\":\"fibonacci\",\"base_ms\":5,\"cap_ms\":5,\"jitter_percent\":0,"
	"\"attempt_count_max\":1000},"
	"\"queues\":{\"mail\":{\"concurrency_max\":4,\"rate_count\":10},\"a/b:c.d-e_f\":"
	"{\"paused\":true,\"key_concurrency_max\":1,\"rate_period_ms\":60000},\"none\":{}}}";

static void everything_may_be_said(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_queue_config queue;
	sb_engine_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, full);
	assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
			 STEPBUS_OK);
	assert_int_equal(config.store_path.len, 0);
	assert_int_equal(config.durability, SB_CONFIG_DURABILITY_MEMORY);
	assert_true(config.is_network_allowed && config.is_strict);
	assert_int_equal(config.busy_timeout_ms, 1);
	assert_int_equal(config.heartbeat_ms, 500);
	assert_int_equal(config.payload_len_max, 67108864);
	assert_int_equal(config.queue_count_max, 10000000);
	assert_int_equal(config.retention.completed_ms, -1);
	assert_int_equal(config.retention.failed_ms, -1);
	assert_int_equal(config.retention.cancelled_ms, 0);
	assert_int_equal(config.retry.kind, STEPBUS_RETRY_FIBONACCI);
	assert_int_equal(config.retry.cap_ms, 5);
	assert_int_equal(config.queues.count, 3);
	queue = sb_queue_config_default();
	assert_true(is_text(config.queues.first->key, "mail"));
	assert_int_equal(sb_queue_config_change(config.queues.first, &queue, &err), STEPBUS_OK);
	assert_int_equal(queue.concurrency_max, 4);
	assert_int_equal(queue.key_concurrency_max, 0);
	assert_int_equal(queue.rate_count, 10);
	assert_int_equal(queue.rate_period_ms, 1000);
	assert_false(queue.is_paused);
	/* The next one's settings, on top of these. */
	assert_int_equal(sb_queue_config_change(config.queues.first->next, &queue, &err),
			 STEPBUS_OK);
	assert_int_equal(queue.concurrency_max, 4);
	assert_int_equal(queue.key_concurrency_max, 1);
	assert_int_equal(queue.rate_period_ms, 60000);
	assert_true(queue.is_paused);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

typedef struct bad_row {
	const char *json;
	const char *message; /* how it begins */
} bad_row;

static const bad_row bad[] = {
	{ "{}",
	  "line 1, column 1: the key store is missing: it must be a text of 1 to 4102 bytes" },
	{ "{\"store\":\"\"}", "line 1, column 10: store is \"\": it must be a text of 1 to 4102 " },
	{ "{\"store\":\"jobs.db\"}",
	  "line 1, column 10: store is 'jobs.db': it must be \"sqlite:\" and "
	  "the path of a file of at most 4095 bytes, or \"memory:\"" },
	{ "{\"store\":\"sqlite:\"}", "line 1, column 10: store is 'sqlite:': it must be " },
	{ "{\"store\":\"sqlite::memory:\"}", "line 1, column 10: store is 'sqlite::memory:': " },
	{ "{\"store\":\"sqlite:file:a?mode=memory\"}",
	  "line 1, column 10: store is 'sqlite:file:a?mode=memory': it must be " },
	{ "{\"store\":\"memory\"}", "line 1, column 10: store is 'memory': it must be " },
	{ "{\"store\":\"memory:x\"}", "line 1, column 10: store is 'memory:x': it must be " },
	{ "{\"store\":\"SQLITE:a.db\"}", "line 1, column 10: store is 'SQLITE:a.db': it must be " },
	{ "{\"store\":\"memory:\",\"durability\":\"disk\"}",
	  "line 1, column 33: durability is 'disk': the store \"memory:\" has only \"memory\"" },
	{ "{\"store\":\"memory:\",\"durability\":\"paper\"}",
	  "line 1, column 33: durability is \"paper\": it must be one of memory, process, disk" },
	{ "{\"store\":\"memory:\",\"heartbeat_ms\":15001}",
	  "line 1, column 35: heartbeat_ms is 15001: it must be at most half of lease_ms, which is "
	  "30000" },
	{ "{\"store\":\"memory:\",\"heartbeat_ms\":99}",
	  "line 1, column 35: heartbeat_ms is 99: it must be a whole number from 100 to 1800000" },
	{ "{\"store\":\"memory:\",\"lease_ms\":999}",
	  "line 1, column 31: lease_ms is 999: it must be a whole number from 1000 to 3600000" },
	{ "{\"store\":\"memory:\",\"lease_ms\":\"30s\"}",
	  "line 1, column 31: lease_ms is \"30s\": it must be a whole number from 1000 to "
	  "3600000" },
	{ "{\"store\":\"memory:\",\"leasems\":1}",
	  "line 1, column 20: there is no key leasems (did you mean lease_ms?); the keys here are "
	  "store, durability, busy_timeout_ms, " },
	{ "{\"store\":\"memory:\",\"retry\":{\"base_ms\":10,\"cap_ms\":9}}",
	  "line 1, column 39: base_ms is 10: it must be at most cap_ms, which is 9" },
	{ "{\"store\":\"memory:\",\"retry\":{\"base_ms\":300001}}",
	  "line 1, column 39: base_ms is 300001: it must be at most cap_ms, which is 300000" },
	{ "{\"store\":\"memory:\",\"retry\":{\"cap_ms\":999}}",
	  "line 1, column 38: base_ms is 1000: it must be at most cap_ms, which is 999" },
	{ "{\"store\":\"memory:\",\"retry\":{\"kind\":\"sometimes\"}}",
	  "line 1, column 36: retry.kind is \"sometimes\": it must be one of none, fixed, linear, "
	  "exponential, fibonacci" },
	{ "{\"store\":\"memory:\",\"retention\":{\"failed_ms\":-2}}",
	  "line 1, column 45: retention.failed_ms is -2: it must be a whole number from -1 to "
	  "315619200000, or null" },
	{ "{\"store\":\"memory:\",\"retention\":{\"failed_ms\":315619200001}}",
	  "line 1, column 45: retention.failed_ms is 315619200001: it must be " },
	{ "{\"store\":\"memory:\",\"queues\":[]}",
	  "line 1, column 29: queues is an array: it must be an object of 0 to 1024 members" },
	{ "{\"store\":\"memory:\",\"queues\":{\"a b\":{}}}",
	  "line 1, column 30: queues.a b is not allowed: a key here has 1 to 128 of "
	  "[A-Za-z0-9_.:/-]" },
	{ "{\"store\":\"memory:\",\"queues\":{\"\":{}}}",
	  "line 1, column 30: queues. is not allowed: a key here has 1 to 128 of " },
	{ "{\"store\":\"memory:\",\"queues\":{\"mail\":{\"concurency_max\":1}}}",
	  "line 1, column 38: there is no key queues.mail.concurency_max (did you mean "
	  "concurrency_max?); the keys here are concurrency_max, " },
	{ "{\"store\":\"memory:\",\"queues\":{\"mail\":{\"concurrency_max\":-1}}}",
	  "line 1, column 56: queues.mail.concurrency_max is -1: it must be a whole number from 0 "
	  "to "
	  "1000000" },
	{ "\"memory:\"",
	  "line 1, column 1: the configuration is \"memory:\": it must be an object" },
};

static void faults_are_told_as_the_table_says(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_config_tree *tree = test_tree(&t, bad[i].json);
		sb_engine_config config;

		assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
				 STEPBUS_EINVAL);
		if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("%s\n  is told as %s\n  instead of %s", bad[i].json, err.message,
				 bad[i].message);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

static void a_path_ends_at_its_limit(void **state)
{
	char json[5000];
	const size_t start = (size_t)snprintf(json, sizeof json, "{\"store\":\"sqlite:");
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t len = 4094; len <= 4096; len++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_engine_config config;
		sb_config_tree *tree;
		stepbus_status status;

		memset(json + start, 'p', len);
		snprintf(json + start + len, sizeof json - start - len, "\"}");
		tree = test_tree(&t, json);
		status = sb_engine_config_read(sb_config_tree_root(tree), &config, &err);
		assert_int_equal(status, len <= 4095 ? STEPBUS_OK : STEPBUS_EINVAL);
		sb_config_tree_free(tree);
	}
	test_host_end(&t);
}

static void the_memory_store_has_its_own_durability_as_default(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_engine_config config;
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, "{\"store\":\"memory:\"}");
	assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
			 STEPBUS_OK);
	assert_int_equal(config.durability, SB_CONFIG_DURABILITY_MEMORY);
	sb_config_tree_free(tree);
	tree = test_tree(&t, "{\"store\":\"sqlite:a\",\"durability\":\"memory\"}");
	assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
			 STEPBUS_OK);
	assert_int_equal(config.durability, SB_CONFIG_DURABILITY_MEMORY);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void a_change_of_a_queue_that_is_refused_changes_nothing(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_queue_config queue = sb_queue_config_default();
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, "{\"concurrency_max\":5,\"paused\":1}");
	assert_int_equal(sb_queue_config_change(sb_config_tree_root(tree), &queue, &err),
			 STEPBUS_EINVAL);
	assert_string_equal(err.message,
			    "line 1, column 31: paused is 1: it must be true or false");
	assert_int_equal(queue.concurrency_max, 0);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

static void the_default_of_a_queue_is_that_of_its_table(void **state)
{
	const sb_queue_config standard = sb_queue_config_default();
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_queue_config queue = { 1, 1, 1, 1, true };
	sb_config_tree *tree;
	test_host t;

	(void)state;
	test_host_init(&t);
	tree = test_tree(&t, "{}");
	assert_int_equal(
		sb_config_apply(&sb_queue_config_table, sb_config_tree_root(tree), &queue, &err),
		STEPBUS_OK);
	assert_int_equal(queue.concurrency_max, standard.concurrency_max);
	assert_int_equal(queue.key_concurrency_max, standard.key_concurrency_max);
	assert_int_equal(queue.rate_count, standard.rate_count);
	assert_int_equal(queue.rate_period_ms, standard.rate_period_ms);
	assert_int_equal(queue.is_paused, standard.is_paused);
	sb_config_tree_free(tree);
	test_host_end(&t);
}

/* Whatever one byte of a good configuration becomes, it is taken or refused in words. */
static void every_other_byte_anywhere_is_taken_or_refused(void **state)
{
	char changed[sizeof full];
	test_host t;

	(void)state;
	test_host_init(&t);
	memcpy(changed, full, sizeof full);
	for (size_t i = 0; i < sizeof full - 1; i++) {
		static const char others[] = "\"\\{}[]:,09-+.eEtfnux \n\x01\xff%";

		for (size_t k = 0; k < sizeof others - 1; k++) {
			stepbus_error err = STEPBUS_ERROR_INIT;
			sb_config_tree *tree = NULL;
			sb_engine_config config;
			stepbus_status status;

			changed[i] = others[k];
			status = sb_json_read_tree(&t.host, sb_slice_of(changed, sizeof full - 1),
						   &tree, &err);
			if (status == STEPBUS_OK)
				status = sb_engine_config_read(sb_config_tree_root(tree), &config,
							       &err);
			if (status != STEPBUS_OK)
				assert_memory_equal(err.message, "line ", 5);
			sb_config_tree_free(tree);
		}
		changed[i] = full[i];
	}
	test_host_end(&t);
}

/* Each is counted, but only the first is worth a message. */
static void tens_of_thousands_of_unknown_keys_are_refused_at_once(void **state)
{
	const size_t room = 1024 * 1024;
	char *json = malloc(room);
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_engine_config config;
	sb_config_tree *tree;
	size_t len = 1;
	test_host t;

	(void)state;
	assert_non_null(json);
	test_host_init(&t);
	json[0] = '{';
	for (int i = 0; i < 60000; i++)
		len += (size_t)snprintf(json + len, room - len, "\"lease%d\":0,", i);
	snprintf(json + len - 1, room - len + 1, "}");
	tree = test_tree(&t, json);
	assert_int_equal(sb_engine_config_read(sb_config_tree_root(tree), &config, &err),
			 STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "there is no key lease0 (did you mean lease_ms?); "));
	assert_non_null(strstr(err.message, " (and 60000 more)"));
	sb_config_tree_free(tree);
	test_host_end(&t);
	free(json);
}

static stepbus_status read_full(test_famine *f, stepbus_error *err)
{
	sb_config_tree *tree = NULL;
	sb_engine_config config;
	stepbus_status status = sb_json_read_tree(&f->t->host, sb_slice_z(full), &tree, err);

	if (status == STEPBUS_OK)
		status = sb_engine_config_read(sb_config_tree_root(tree), &config, err);
	sb_config_tree_free(tree);
	return status;
}

FAMINE_TEST(memory_may_run_out_while_reading, read_full);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_is_all_that_must_be_said),
		cmocka_unit_test(everything_may_be_said),
		cmocka_unit_test(faults_are_told_as_the_table_says),
		cmocka_unit_test(a_path_ends_at_its_limit),
		cmocka_unit_test(the_memory_store_has_its_own_durability_as_default),
		cmocka_unit_test(a_change_of_a_queue_that_is_refused_changes_nothing),
		cmocka_unit_test(the_default_of_a_queue_is_that_of_its_table),
		cmocka_unit_test(every_other_byte_anywhere_is_taken_or_refused),
		cmocka_unit_test(tens_of_thousands_of_unknown_keys_are_refused_at_once),
		cmocka_unit_test(memory_may_run_out_while_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
