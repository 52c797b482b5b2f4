/* SPDX-License-Identifier: MIT */
#include "handlers/unique.h"

#include "support/cmocka.h"

enum { QUEUE = SB_UNIQUE_QUEUE, HANDLER = SB_UNIQUE_HANDLER, BOTH = QUEUE | HANDLER };

#define S INT64_C(1000000)

typedef struct key_row {
	const char *key;
	uint32_t flags;
	const char *queue;
	const char *handler_namespace;
	const char *name;
	int64_t period_us;
	int64_t now_us;
} key_row;

static sb_unique_bytes compose(const key_row *row)
{
	sb_unique_scope scope = { .flags = row->flags,
				  .queue = sb_slice_z(row->queue),
				  .handler_namespace = sb_slice_z(row->handler_namespace),
				  .name = sb_slice_z(row->name),
				  .period_us = row->period_us,
				  .now_us = row->now_us };
	sb_unique_bytes bytes;

	assert_true(sb_unique_compose(sb_slice_z(row->key), &scope, &bytes));
	assert_true(bytes.len <= SB_UNIQUE_LEN_MAX);
	return bytes;
}

static bool is_same(const sb_unique_bytes *a, const sb_unique_bytes *b)
{
	return sb_slice_is_equal(sb_unique_slice(a), sb_unique_slice(b));
}

static void keys_that_differ_never_meet(void **state)
{
	static const key_row rows[] = {
		{ "", 0, "", "", "", 0, 0 },
		{ "a", 0, "", "", "", 0, 0 },
		{ "ab", 0, "", "", "", 0, 0 },
		{ "a", QUEUE, "q", "n", "h", 0, 0 },
		{ "", QUEUE, "qa", "n", "h", 0, 0 },
		{ "qa", QUEUE, "", "n", "h", 0, 0 },
		{ "a", HANDLER, "q", "n", "h", 0, 0 },
		{ "a", HANDLER, "q", "nh", "", 0, 0 },
		{ "a", HANDLER, "q", "", "nh", 0, 0 },
		{ "a", BOTH, "q", "n", "h", 0, 0 },
		{ "ha", BOTH, "q", "n", "", 0, 0 },
		{ "a", BOTH, "", "q", "nh", 0, 0 },
		{ "a", 0, "", "", "", 60 * S, 0 },
		{ "a", 0, "", "", "", 60 * S, 60 * S },
		{ "a", 0, "", "", "", 60 * S, -1 },
		{ "a", 0, "", "", "", 30 * S, 0 },
		{ "a", QUEUE, "q", "n", "h", 60 * S, 0 },
	};
	sb_unique_bytes idempotency;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_unique_bytes one = compose(&rows[i]);

		assert_true(sb_unique_idempotency(sb_slice_z(rows[i].key), &idempotency));
		assert_false(is_same(&one, &idempotency));
		for (size_t j = 0; j < i; j++) {
			sb_unique_bytes other = compose(&rows[j]);

			if (is_same(&one, &other))
				fail_msg("rows %zu and %zu have one key", j, i);
		}
	}
}

static void what_is_out_of_scope_makes_no_difference(void **state)
{
	static const key_row pairs[][2] = {
		{ { "a", 0, "q", "n", "h", 0, 0 }, { "a", 0, "r", "m", "g", 0, 99 } },
		{ { "a", QUEUE, "q", "n", "h", 0, 0 }, { "a", QUEUE, "q", "m", "g", 0, 0 } },
		{ { "a", HANDLER, "q", "n", "h", 0, 0 }, { "a", HANDLER, "r", "n", "h", 0, 0 } },
		{ { "a", 0, "", "", "", 60 * S, 0 }, { "a", 0, "", "", "", 60 * S, 60 * S - 1 } },
		{ { "a", 0, "", "", "", 60 * S, -60 * S }, { "a", 0, "", "", "", 60 * S, -1 } },
		{ { "a", 0, "", "", "", -1, 0 }, { "a", 0, "", "", "", 0, 0 } },
		{ { "a", 0xFFFFFFFC, "q", "n", "h", 0, 0 }, { "a", 0, "q", "n", "h", 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		sb_unique_bytes one = compose(&pairs[i][0]), other = compose(&pairs[i][1]);

		if (!is_same(&one, &other))
			fail_msg("pair %zu has two keys", i);
	}
}

/* They stand in databases. */
static void the_bytes_are_these(void **state)
{
	static const char expected[] = "u\x83\0\1q\0\1n\0\2hh\0\1a"
				       "\0\0\0\0\0\0\0\x0A"
				       "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE";
	sb_unique_bytes bytes = compose(&(key_row){ "a", BOTH, "q", "n", "hh", 10, -11 });

	(void)state;
	assert_int_equal(bytes.len, sizeof expected - 1);
	assert_memory_equal(bytes.data, expected, bytes.len);
	assert_true(sb_unique_idempotency(sb_slice_z("key"), &bytes));
	assert_int_equal(bytes.len, 6);
	assert_memory_equal(bytes.data, "i\0\3key", 6);
}

static void parts_of_any_bytes_up_to_their_limits_fit(void **state)
{
	char text[SB_UNIQUE_KEY_LEN_MAX + 1];
	sb_slice key = sb_slice_of(text, SB_UNIQUE_KEY_LEN_MAX);
	sb_slice name = sb_slice_of(text, SB_UNIQUE_NAME_LEN_MAX);
	sb_unique_scope scope = { BOTH, name, name, name, 1, INT64_MIN };
	sb_unique_bytes bytes;

	(void)state;
	memset(text, '\0', sizeof text);
	assert_true(sb_unique_compose(key, &scope, &bytes));
	assert_int_equal(bytes.len, SB_UNIQUE_LEN_MAX);
	assert_true(sb_unique_idempotency(key, &bytes));
	key.len++;
	assert_false(sb_unique_compose(key, &scope, &bytes));
	assert_false(sb_unique_idempotency(key, &bytes));
	assert_int_equal(bytes.len, 0);
	key.len = 0;
	name.len++;
	scope.queue = name;
	assert_false(sb_unique_compose(key, &scope, &bytes));
	scope.queue.len--;
	scope.handler_namespace = name;
	assert_false(sb_unique_compose(key, &scope, &bytes));
	scope.handler_namespace.len--;
	scope.name = name;
	assert_false(sb_unique_compose(key, &scope, &bytes));
}

static void the_hosts_key_is_found_in_what_was_composed(void **state)
{
	static const key_row rows[] = {
		{ "a", 0, "", "", "", 0, 0 },
		{ "a", QUEUE, "q", "n", "h", 0, 0 },
		{ "key", BOTH, "queue", "namespace", "handler", 0, 0 },
		{ "key", BOTH, "", "", "", 60 * S, 100 * S },
		{ "", HANDLER, "q", "n", "h", 30 * S, -1 },
	};
	sb_unique_bytes bytes;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bytes = compose(&rows[i]);
		assert_true(sb_slice_is_equal(sb_unique_key_of(sb_unique_slice(&bytes)),
					      sb_slice_z(rows[i].key)));
	}
	assert_true(sb_unique_idempotency(sb_slice_z("once"), &bytes));
	assert_true(
		sb_slice_is_equal(sb_unique_key_of(sb_unique_slice(&bytes)), sb_slice_z("once")));
}

static void bytes_that_nobody_composed_hold_no_key(void **state)
{
	const key_row row = { "key", BOTH, "queue", "namespace", "handler", 0, 0 };
	sb_unique_bytes bytes = compose(&row);

	(void)state;
	/* Cut anywhere, it is no longer what it was. */
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(sb_unique_key_of(sb_slice_of(bytes.data, len)).len, 0);
	assert_int_equal(sb_unique_key_of(sb_slice_z("xyz")).len, 0);
	assert_int_equal(sb_unique_key_of(sb_slice_z("i\xff\xff")).len, 0);
	assert_int_equal(sb_unique_key_of(sb_slice_of(NULL, 0)).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_differ_never_meet),
		cmocka_unit_test(what_is_out_of_scope_makes_no_difference),
		cmocka_unit_test(the_bytes_are_these),
		cmocka_unit_test(parts_of_any_bytes_up_to_their_limits_fit),
		cmocka_unit_test(the_hosts_key_is_found_in_what_was_composed),
		cmocka_unit_test(bytes_that_nobody_composed_hold_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
