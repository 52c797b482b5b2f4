/* SPDX-License-Identifier: MIT */
/* Documents that want to hurt: cut, changed, made up by chance, deep, long, and short of memory. */
#include "config/read_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/syntax.h"
#include "support/cmocka.h"
#include "support/famine.h"
#include "support/host.h"
#include "support/tree.h"

/* From a block of exactly its length, so that a sanitizer sees a byte too far. */
static stepbus_status read_exactly(test_host *t, const char *json, size_t len, sb_config_tree **out,
				   stepbus_error *err)
{
	char *copy = malloc(len > 0 ? len : 1);
	stepbus_status status;

	assert_non_null(copy);
	memcpy(copy, json, len);
	status = sb_json_read_tree(&t->host, sb_slice_of(copy, len), out, err);
	free(copy);
	return status;
}

static const char sample[] = "{\"store\": \"sqlite:jobs.db\", \"lease_ms\": 30000, \"x\": [1, "
			     "-2.5e3, true, false, null],\n"
			     " \"retry\": {\"kind\": \"fixed\", \"\\ud83d\\ude00\": "
			     "\"\\n\xc3\xa4\", \"e\": {}, \"a\": []}}";

static void a_document_cut_anywhere_is_refused(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t len = 0; len < sizeof sample - 1; len++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		sb_config_tree *tree = NULL;

		assert_int_equal(read_exactly(&t, sample, len, &tree, &err), STEPBUS_EINVAL);
		assert_memory_equal(err.message, "line ", 5);
	}
	test_host_end(&t);
}

/* The reader and the judge were written apart: what one takes, the other must. */
static void expect_agreement(test_host *t, const char *json, size_t len)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	stepbus_status status = read_exactly(t, json, len, &tree, &err);

	if (strstr(err.message, "is given twice") != NULL)
		return;
	if ((status == STEPBUS_OK) != sb_syntax_is_json(json, len, NULL))
		fail_msg("%.*s: %s", (int)len, json, err.message);
	sb_config_tree_free(tree);
}

static void every_other_byte_anywhere_is_judged_right(void **state)
{
	char changed[sizeof sample];
	test_host t;

	(void)state;
	test_host_init(&t);
	memcpy(changed, sample, sizeof sample);
	for (size_t i = 0; i < sizeof sample - 1; i++) {
		for (int byte = 0; byte < 256; byte++) {
			changed[i] = (char)byte;
			expect_agreement(&t, changed, sizeof sample - 1);
		}
		changed[i] = sample[i];
	}
	test_host_end(&t);
}

static void documents_made_of_pieces_by_chance_are_judged_right(void **state)
{
	static const char *const pieces[] = { "{",      "}",       "[",
					      "]",      ",",       ":",
					      "\"a\"",  "\"b\"",   "1",
					      "-0.5e3", "true",    "null",
					      " ",      "\"\\u00", "\"\\ud83d\\ude00\"",
					      "\\",     "e",       "{\"c\":" };
	const size_t piece_count = sizeof pieces / sizeof *pieces;
	uint64_t random = 88172645463325252;
	test_host t;

	(void)state;
	test_host_init(&t);
	for (int i = 0; i < 50000; i++) {
		char json[256];
		size_t len = 0;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		for (uint64_t rest = random; rest != 0 && len < sizeof json - 32; rest /= 53)
			len += (size_t)snprintf(json + len, sizeof json - len, "%s",
						pieces[rest % piece_count]);
		expect_agreement(&t, json, len);
	}
	test_host_end(&t);
}

static stepbus_status read_nested(test_host *t, int depth, const char *open, const char *close,
				  stepbus_error *err)
{
	size_t room = (size_t)depth * (strlen(open) + strlen(close)) + 1;
	char *json = calloc(1, room);
	sb_config_tree *tree = NULL;
	stepbus_status status;

	assert_non_null(json);
	for (int i = 0; i < depth; i++)
		memcpy(json + (size_t)i * strlen(open), open, strlen(open));
	for (int i = 0; i < depth; i++)
		memcpy(json + (size_t)depth * strlen(open) + (size_t)i * strlen(close), close,
		       strlen(close));
	status = sb_json_read_tree(&t->host, sb_slice_of(json, strlen(json)), &tree, err);
	sb_config_tree_free(tree);
	free(json);
	return status;
}

static void nesting_ends_at_its_limit(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(read_nested(&t, SB_CONFIG_DEPTH_MAX, "[", "]", &err), STEPBUS_OK);
	assert_int_equal(read_nested(&t, SB_CONFIG_DEPTH_MAX + 1, "[", "]", &err), STEPBUS_EINVAL);
	assert_string_equal(err.message, "line 1, column 33: nested deeper than 32");
	assert_int_equal(read_nested(&t, 500000, "[", "]", &err), STEPBUS_EINVAL);
	assert_int_equal(read_nested(&t, 100000, "{\"a\":", "}", &err), STEPBUS_EINVAL);
	test_host_end(&t);
}

static void a_document_that_is_too_long_is_refused(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	char *json = malloc(SB_CONFIG_LEN_MAX + 1);
	test_host t;

	(void)state;
	assert_non_null(json);
	memset(json, ' ', SB_CONFIG_LEN_MAX + 1);
	json[0] = '1';
	test_host_init(&t);
	assert_int_equal(
		sb_json_read_tree(&t.host, sb_slice_of(json, SB_CONFIG_LEN_MAX), &tree, &err),
		STEPBUS_OK);
	sb_config_tree_free(tree);
	assert_int_equal(
		sb_json_read_tree(&t.host, sb_slice_of(json, SB_CONFIG_LEN_MAX + 1), &tree, &err),
		STEPBUS_EINVAL);
	assert_string_equal(err.message,
			    "the configuration has 1048577 bytes: at most 1048576 are allowed");
	test_host_end(&t);
	free(json);
}

/* Enough to be felt where keys are compared each with each. */
static void many_keys_are_read_in_reasonable_time(void **state)
{
	const size_t key_count = SB_CONFIG_NODE_COUNT_MAX - 1;
	char *json = malloc(key_count * 16);
	sb_config_tree *tree = NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t len = 0;
	test_host t;

	(void)state;
	assert_non_null(json);
	for (size_t i = 0; i < key_count; i++)
		len += (size_t)sprintf(json + len, "%s\"%zx\":1", i == 0 ? "{" : ",",
				       i * 40503 % 65536);
	json[len++] = '}';
	test_host_init(&t);
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(json, len), &tree, &err),
			 STEPBUS_OK);
	assert_int_equal(sb_config_tree_root(tree)->count, key_count);
	sb_config_tree_free(tree);
	test_host_end(&t);
	free(json);
}

static void one_value_too_many_is_refused(void **state)
{
	char *json = malloc(2 * SB_CONFIG_NODE_COUNT_MAX + 2);
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	size_t len = 0;
	test_host t;

	(void)state;
	assert_non_null(json);
	json[len++] = '[';
	for (int i = 0; i < SB_CONFIG_NODE_COUNT_MAX; i++) {
		json[len++] = '1';
		json[len++] = ',';
	}
	json[len - 1] = ']';
	test_host_init(&t);
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(json, len), &tree, &err),
			 STEPBUS_EINVAL);
	assert_string_equal(err.message, "line 1, column 131072: there are more than 65536 values");
	/* One less, and it is the array that makes it 65536. */
	json[len - 3] = ']';
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(json, len - 2), &tree, &err),
			 STEPBUS_OK);
	sb_config_tree_free(tree);
	test_host_end(&t);
	free(json);
}

static void a_million_digits_are_a_number(void **state)
{
	const size_t len = 1000000;
	char *json = malloc(len);
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_config_tree *tree = NULL;
	test_host t;

	(void)state;
	assert_non_null(json);
	test_host_init(&t);
	memset(json, '9', len);
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(json, len), &tree, &err),
			 STEPBUS_OK);
	assert_int_equal(sb_config_tree_root(tree)->kind, SB_NODE_NUMBER);
	sb_config_tree_free(tree);
	/* Its 7 stands at the 999991st place behind the point. */
	memset(json, '0', len);
	json[1] = '.';
	memcpy(json + len - 8, "7e999991", 8);
	assert_int_equal(sb_json_read_tree(&t.host, sb_slice_of(json, len), &tree, &err),
			 STEPBUS_OK);
	assert_int_equal(sb_config_tree_root(tree)->kind, SB_NODE_INTEGER);
	assert_int_equal(sb_config_tree_root(tree)->value.integer, 7);
	sb_config_tree_free(tree);
	test_host_end(&t);
	free(json);
}

static stepbus_status read_sample(test_famine *f, stepbus_error *err)
{
	sb_config_tree *tree = NULL;
	stepbus_status status =
		sb_json_read_tree(&f->t->host, sb_slice_of(sample, sizeof sample - 1), &tree, err);

	if (status != STEPBUS_OK && tree != NULL)
		return test_famine_breach(err, "a tree was given although reading failed");
	sb_config_tree_free(tree);
	return status;
}

FAMINE_TEST(memory_may_run_out_while_reading, read_sample);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_cut_anywhere_is_refused),
		cmocka_unit_test(every_other_byte_anywhere_is_judged_right),
		cmocka_unit_test(documents_made_of_pieces_by_chance_are_judged_right),
		cmocka_unit_test(nesting_ends_at_its_limit),
		cmocka_unit_test(a_document_that_is_too_long_is_refused),
		cmocka_unit_test(many_keys_are_read_in_reasonable_time),
		cmocka_unit_test(one_value_too_many_is_refused),
		cmocka_unit_test(a_million_digits_are_a_number),
		cmocka_unit_test(memory_may_run_out_while_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
