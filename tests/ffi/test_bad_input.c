/* SPDX-License-Identifier: MIT */
/*
 * Every exported function refuses what it must, with a status and a message, and crashes at nothing.
 * The rows are in tests/support/bad_*.c, one for each function that the header declares.
 */
#include "support/bad_input.h"

#include <stdio.h>
#include <string.h>

enum { ROW_COUNT_MAX = 256, NAME_LEN_MAX = 64, HEADER_LEN_MAX = 256 * 1024 };

static const test_bad_rows *const tables[] = {
	&test_bad_library,   &test_bad_bridge,     &test_bad_payload, &test_bad_registry,
	&test_bad_execution, &test_bad_engine,     &test_bad_worker,  &test_bad_pull,
	&test_bad_step,      &test_bad_control,    &test_bad_query,   &test_bad_queue,
	&test_bad_cron,      &test_bad_enqueue_in,
};

static char declared[ROW_COUNT_MAX][NAME_LEN_MAX];
static size_t declared_count;

/* A row is the whole test, so that one test function serves all. */
static void refuses_bad_input(void **state)
{
	const test_bad_row *row = *state;
	const stepbus_options options = { .size = sizeof options,
					  .config = "{\"store\":\"memory:\"}",
					  .config_len = 19 };
	static test_bad b;

	memset(&b, 0, sizeof b);
	assert_int_equal(stepbus_bridge_new(NULL, &b.bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(b.bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_new(NULL, &b.registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_open(&options, &b.engine, NULL), STEPBUS_OK);
	row->run(&b);
	stepbus_close(b.engine);
	stepbus_registry_free(b.registry);
	stepbus_bridge_free(b.bridge);
}

/* The name before the first parenthesis behind STEPBUS_API. */
static void note_declaration(const char *text)
{
	const char *end = strchr(text, '(');
	size_t len = 0;

	if (end == NULL || declared_count == ROW_COUNT_MAX)
		return;
	while (len < NAME_LEN_MAX - 1 && strchr(" *\n\t", end[-1 - (ptrdiff_t)len]) == NULL)
		len++;
	memcpy(declared[declared_count++], end - len, len);
}

static void read_header(void)
{
	static char text[HEADER_LEN_MAX];
	FILE *file = fopen("include/stepbus.h", "r");
	size_t len;

	if (file == NULL)
		fail_msg("include/stepbus.h cannot be read: run this from the root of the tree");
	len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	assert_true(len > 1000 && len < sizeof text - 1);
	for (const char *at = text; (at = strstr(at, "\nSTEPBUS_API ")) != NULL; at++)
		note_declaration(at);
}

static bool has_row(const char *function)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (size_t j = 0; j < tables[i]->count; j++)
			if (strcmp(tables[i]->rows[j].function, function) == 0)
				return true;
	return false;
}

static bool is_declared(const char *function)
{
	for (size_t i = 0; i < declared_count; i++)
		if (strcmp(declared[i], function) == 0)
			return true;
	return false;
}

static void every_declared_function_has_a_row_and_every_row_a_function(void **state)
{
	(void)state;
	read_header();
	assert_true(declared_count > 70);
	for (size_t i = 0; i < declared_count; i++)
		if (!has_row(declared[i]))
			fail_msg("%s is tried with no bad input: give it a row in "
				 "tests/support/bad_*.c",
				 declared[i]);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (size_t j = 0; j < tables[i]->count; j++)
			if (!is_declared(tables[i]->rows[j].function))
				fail_msg("%s is not declared any more",
					 tables[i]->rows[j].function);
}

int main(void)
{
	static struct CMUnitTest tests[ROW_COUNT_MAX];
	size_t count = 0;

	tests[count++] = (struct CMUnitTest)cmocka_unit_test(
		every_declared_function_has_a_row_and_every_row_a_function);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (size_t j = 0; j < tables[i]->count; j++) {
			static test_bad_row copies[ROW_COUNT_MAX];

			copies[count] = tables[i]->rows[j];
			tests[count] =
				(struct CMUnitTest){ copies[count].function, refuses_bad_input,
						     NULL, NULL, &copies[count] };
			count++;
		}
	return _cmocka_run_group_tests("bad input", tests, count, NULL, NULL);
}
