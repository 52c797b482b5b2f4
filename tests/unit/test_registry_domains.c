/* SPDX-License-Identifier: MIT */
/* Registering a group: all of it, or none. */
#include <string.h>

#include "support/cmocka.h"
#include "support/shelf.h"

enum { GROUP_COUNT = 3 };

/* A group of three that is fine; each test spoils what it is about. */
typedef struct group {
	_Atomic(int) destroyed[GROUP_COUNT];
	stepbus_handler_spec specs[GROUP_COUNT];
} group;

static void make_group(group *g)
{
	static const char *const names[GROUP_COUNT] = { "invoice", "refund", "dunning" };

	for (int i = 0; i < GROUP_COUNT; i++) {
		atomic_init(&g->destroyed[i], 0);
		g->specs[i] = test_counted_spec(names[i], "1.0.0", &g->destroyed[i]);
	}
}

static stepbus_status register_group(test_shelf *shelf, const group *g)
{
	return stepbus_registry_register_domain(shelf->registry, STEPBUS_TEXT("billing"), g->specs,
						GROUP_COUNT, &shelf->err);
}

static void expect_nothing_of(test_shelf *shelf, group *g, stepbus_status status)
{
	size_t count = stepbus_registry_count(shelf->registry);

	assert_int_equal(register_group(shelf, g), status);
	assert_string_not_equal(shelf->err.message, "");
	assert_int_equal(stepbus_registry_count(shelf->registry), count);
	for (int i = 0; i < GROUP_COUNT; i++)
		assert_int_equal(g->destroyed[i], 1);
}

static void a_group_is_registered_with_its_domain(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("refund", NULL);
	stepbus_handler *handler = NULL;
	group g;

	make_group(&g);
	assert_int_equal(register_group(shelf, &g), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 3);
	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, NULL), 0);
	assert_string_equal(stepbus_handler_definition(handler)->domain, "billing");
	stepbus_handler_unref(handler);
	stepbus_registry_clear(shelf->registry, NULL);
	for (int i = 0; i < GROUP_COUNT; i++)
		assert_int_equal(g.destroyed[i], 1);
}

static void a_spec_that_says_the_same_domain_is_fine(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[1].domain = "billing";
	g.specs[1].domain_len = 7;
	assert_int_equal(register_group(shelf, &g), STEPBUS_OK);
	stepbus_registry_clear(shelf->registry, NULL);
}

static void a_spec_that_says_another_domain_is_refused(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[2].domain = "users";
	g.specs[2].domain_len = 5;
	expect_nothing_of(shelf, &g, STEPBUS_EINVAL);
	assert_string_equal(shelf->err.message, "handler 2 of the domain: it names another domain");
}

static void a_domain_that_is_null_with_a_length_is_refused(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[1].domain = NULL;
	g.specs[1].domain_len = strlen("billing");
	expect_nothing_of(shelf, &g, STEPBUS_EINVAL);
}

static void a_bad_last_spec_leaves_nothing_registered(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[2].call = NULL;
	expect_nothing_of(shelf, &g, STEPBUS_EINVAL);
	assert_true(test_shelf_said(shelf, "dunning"));
}

static void a_bad_spec_is_named_by_its_index(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[1].name = "";
	g.specs[1].name_len = 0;
	expect_nothing_of(shelf, &g, STEPBUS_EINVAL);
	assert_true(test_shelf_said(shelf, "handler 1"));
}

static void a_name_that_is_taken_leaves_nothing_registered(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	test_shelf_add(shelf, "dunning", "1.0.0", 0);
	expect_nothing_of(shelf, &g, STEPBUS_EEXISTS);
	assert_false(test_shelf_has(shelf, "invoice", NULL));
	assert_int_equal(shelf->destroyed, 0);
}

static void the_same_name_twice_in_the_group_leaves_nothing_registered(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[2].name = g.specs[0].name;
	g.specs[2].name_len = g.specs[0].name_len;
	expect_nothing_of(shelf, &g, STEPBUS_EEXISTS);
	assert_true(test_shelf_said(shelf, "invoice"));
}

static void a_replacement_is_undone_when_the_group_fails(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("invoice", "1.0.0");
	stepbus_handler *handler = NULL;
	group g;

	make_group(&g);
	test_shelf_add(shelf, "invoice", "1.0.0", 0);
	test_shelf_add(shelf, "dunning", "1.0.0", 0);
	g.specs[0].flags = STEPBUS_HANDLER_OVERRIDE;
	expect_nothing_of(shelf, &g, STEPBUS_EEXISTS);
	assert_int_equal(shelf->destroyed, 0);
	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, NULL), 0);
	assert_ptr_equal(stepbus_handler_definition(handler)->user_data, &shelf->destroyed);
	stepbus_handler_unref(handler);
}

static void a_group_may_replace_what_is_there(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	test_shelf_add(shelf, "invoice", "1.0.0", 0);
	g.specs[0].flags = STEPBUS_HANDLER_OVERRIDE;
	assert_int_equal(register_group(shelf, &g), STEPBUS_OK);
	assert_int_equal(shelf->destroyed, 1);
	assert_int_equal(stepbus_registry_count(shelf->registry), 3);
	stepbus_registry_clear(shelf->registry, NULL);
}

/* The later of two in one group wins where it says that it may. */
static void a_spec_may_replace_its_own_sibling(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[2].name = g.specs[0].name;
	g.specs[2].name_len = g.specs[0].name_len;
	g.specs[2].flags = STEPBUS_HANDLER_OVERRIDE;
	assert_int_equal(register_group(shelf, &g), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 2);
	assert_int_equal(g.destroyed[0], 1);
	assert_int_equal(g.destroyed[2], 0);
	stepbus_registry_clear(shelf->registry, NULL);
	assert_int_equal(g.destroyed[0], 1);
	assert_int_equal(g.destroyed[2], 1);
}

static void a_sibling_that_was_replaced_is_undone_too(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[1].name = g.specs[0].name;
	g.specs[1].name_len = g.specs[0].name_len;
	g.specs[1].flags = STEPBUS_HANDLER_OVERRIDE;
	test_shelf_add(shelf, "dunning", "1.0.0", 0);
	expect_nothing_of(shelf, &g, STEPBUS_EEXISTS);
	assert_false(test_shelf_has(shelf, "invoice", NULL));
}

static void a_group_that_passes_the_limit_leaves_nothing_registered(void **state)
{
	test_shelf *shelf = *state;
	stepbus_registry_options options = { .size = sizeof options,
					     .host = &shelf->host.host,
					     .handler_count_max = 2 };
	group g;

	stepbus_registry_free(shelf->registry);
	assert_int_equal(stepbus_registry_new(&options, &shelf->registry, NULL), STEPBUS_OK);
	make_group(&g);
	expect_nothing_of(shelf, &g, STEPBUS_ELIMIT);
}

static void a_sealed_registry_takes_no_group(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	stepbus_registry_seal(shelf->registry, NULL);
	expect_nothing_of(shelf, &g, STEPBUS_ESEALED);
}

static void specs_of_different_sizes_are_refused(void **state)
{
	test_shelf *shelf = *state;
	group g;

	make_group(&g);
	g.specs[2].size = 64;
	assert_int_equal(register_group(shelf, &g), STEPBUS_EINVAL);
	assert_true(test_shelf_said(shelf, "handler 2"));
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
	assert_int_equal(g.destroyed[0], 1);
	assert_int_equal(g.destroyed[1], 1);
	/* Of what cannot be read nothing is known. */
	assert_int_equal(g.destroyed[2], 0);
}

/* A host that was built with a later header: its structs are longer, and its array has their
 * stride. */
static void an_array_of_longer_specs_is_read_by_its_own_stride(void **state)
{
	typedef struct longer_spec {
		stepbus_handler_spec known;
		uint64_t unknown[4];
	} longer_spec;
	test_shelf *shelf = *state;
	longer_spec specs[GROUP_COUNT];
	group g;

	make_group(&g);
	memset(specs, 0, sizeof specs);
	for (int i = 0; i < GROUP_COUNT; i++) {
		specs[i].known = g.specs[i];
		specs[i].known.size = sizeof specs[i];
	}
	assert_int_equal(stepbus_registry_register_domain(shelf->registry, STEPBUS_TEXT("billing"),
							  &specs[0].known, GROUP_COUNT,
							  &shelf->err),
			 STEPBUS_OK);
	assert_true(test_shelf_has(shelf, "dunning", "1.0.0"));
	stepbus_registry_clear(shelf->registry, NULL);
}

static void a_spec_with_a_field_nobody_knows_leaves_nothing_registered(void **state)
{
	typedef struct longer_spec {
		stepbus_handler_spec known;
		uint64_t unknown[4];
	} longer_spec;
	test_shelf *shelf = *state;
	longer_spec specs[GROUP_COUNT];
	group g;

	make_group(&g);
	memset(specs, 0, sizeof specs);
	for (int i = 0; i < GROUP_COUNT; i++) {
		specs[i].known = g.specs[i];
		specs[i].known.size = sizeof specs[i];
	}
	specs[2].unknown[3] = 1;
	assert_int_equal(stepbus_registry_register_domain(shelf->registry, STEPBUS_TEXT("billing"),
							  &specs[0].known, GROUP_COUNT,
							  &shelf->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
	assert_int_equal(g.destroyed[0], 1);
	assert_int_equal(g.destroyed[1], 1);
}

/* No struct has such a size, and what follows the first could only be read askew. */
static void a_size_that_no_array_can_have_is_refused(void **state)
{
	test_shelf *shelf = *state;
	uint64_t room[2 * sizeof(stepbus_handler_spec) / sizeof(uint64_t) + 2] = { 0 };
	const uint32_t size = sizeof(stepbus_handler_spec) + 4;
	static _Atomic(int) destroyed[2];
	stepbus_handler_spec spec = test_counted_spec("invoice", NULL, &destroyed[0]);

	spec.size = size;
	memcpy(room, &spec, sizeof spec);
	spec = test_counted_spec("refund", NULL, &destroyed[1]);
	spec.size = size;
	memcpy((char *)room + size, &spec, sizeof spec);
	assert_int_equal(stepbus_registry_register_domain(
				 shelf->registry, STEPBUS_TEXT("billing"),
				 (const stepbus_handler_spec *)(const void *)room, 2, &shelf->err),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
}

static void a_domain_must_have_a_name(void **state)
{
	static const struct {
		const char *domain;
		size_t len;
	} rows[] = { { NULL, 0 }, { NULL, 3 }, { "", 0 }, { "a b", 3 }, { "a\0b", 3 } };
	test_shelf *shelf = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		group g;

		make_group(&g);
		assert_int_equal(stepbus_registry_register_domain(shelf->registry, rows[i].domain,
								  rows[i].len, g.specs, GROUP_COUNT,
								  &shelf->err),
				 STEPBUS_EINVAL);
		assert_true(test_shelf_said(shelf, "domain"));
		assert_int_equal(g.destroyed[2], 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_group_is_registered_with_its_domain),
		TEST(a_spec_that_says_the_same_domain_is_fine),
		TEST(a_spec_that_says_another_domain_is_refused),
		TEST(a_domain_that_is_null_with_a_length_is_refused),
		TEST(a_bad_last_spec_leaves_nothing_registered),
		TEST(a_bad_spec_is_named_by_its_index),
		TEST(a_name_that_is_taken_leaves_nothing_registered),
		TEST(the_same_name_twice_in_the_group_leaves_nothing_registered),
		TEST(a_replacement_is_undone_when_the_group_fails),
		TEST(a_group_may_replace_what_is_there),
		TEST(a_spec_may_replace_its_own_sibling),
		TEST(a_sibling_that_was_replaced_is_undone_too),
		TEST(a_group_that_passes_the_limit_leaves_nothing_registered),
		TEST(a_sealed_registry_takes_no_group),
		TEST(specs_of_different_sizes_are_refused),
		TEST(an_array_of_longer_specs_is_read_by_its_own_stride),
		TEST(a_spec_with_a_field_nobody_knows_leaves_nothing_registered),
		TEST(a_size_that_no_array_can_have_is_refused),
		TEST(a_domain_must_have_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
