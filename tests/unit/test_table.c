/* SPDX-License-Identifier: MIT */
#include "registry/table.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/spec.h"

typedef struct fixture {
	test_host host;
	sb_pool *pool;
	sb_gate gate;
	sb_table table;
} fixture;

static int set_up(void **state)
{
	static fixture f;

	test_host_init(&f.host);
	f.table = (sb_table){ .host = &f.host.host };
	assert_int_equal(sb_map_init(&f.table.handlers, &f.host.host, NULL), STEPBUS_OK);
	assert_int_equal(sb_map_init(&f.table.families, &f.host.host, NULL), STEPBUS_OK);
	f.pool = sb_handler_pool_new(&f.host.host);
	assert_non_null(f.pool);
	sb_gate_init(&f.gate);
	*state = &f;
	return 0;
}

static void take_out(fixture *f, stepbus_handler *handler)
{
	sb_table_remove(&f->table, handler);
	sb_handler_abandon(handler);
}

static int tear_down(void **state)
{
	fixture *f = *state;
	sb_map_node *node;

	while ((node = sb_map_first(&f->table.handlers)) != NULL)
		take_out(f, (stepbus_handler *)(void *)node);
	assert_null(sb_map_first(&f->table.families));
	sb_pool_close(f->pool);
	sb_gate_free(&f->gate);
	test_host_end(&f->host);
	return 0;
}

static sb_handler_name name_of(const char *handler_namespace, const char *name, const char *version)
{
	return (sb_handler_name){ sb_slice_z(handler_namespace), sb_slice_z(name),
				  sb_slice_z(version) };
}

static stepbus_handler *add_flagged(fixture *f, const char *handler_namespace, const char *name,
				    const char *version, uint32_t flags)
{
	stepbus_handler_spec spec = test_spec(name, version);
	stepbus_handler *handler;

	spec.handler_namespace = handler_namespace;
	spec.handler_namespace_len = strlen(handler_namespace);
	spec.flags = flags;
	handler = sb_handler_new(f->pool, &f->gate, &f->host.host, &spec);
	if (handler == NULL || sb_table_add(&f->table, handler))
		return handler;
	sb_handler_abandon(handler);
	return NULL;
}

static stepbus_handler *add(fixture *f, const char *handler_namespace, const char *name,
			    const char *version)
{
	return add_flagged(f, handler_namespace, name, version, 0);
}

static void an_added_version_is_found(void **state)
{
	fixture *f = *state;
	stepbus_handler *handler = add(f, "ns", "mail", "1.0.0");
	const sb_handler_name name = name_of("ns", "mail", "1.0.0");

	assert_non_null(handler);
	assert_ptr_equal(sb_table_find(&f->table, &name), handler);
}

static void what_differs_in_one_part_is_not_found(void **state)
{
	fixture *f = *state;
	const sb_handler_name names[] = {
		name_of("ns2", "mail", "1.0.0"), name_of("ns", "mail2", "1.0.0"),
		name_of("ns", "mail", "1.0"),    name_of("ns", "Mail", "1.0.0"),
		name_of("mail", "ns", "1.0.0"),  name_of("nsm", "ail", "1.0.0"),
	};

	add(f, "ns", "mail", "1.0.0");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_null(sb_table_find(&f->table, &names[i]));
}

/* Keys are joined by NUL: a part that holds one must not read as two. */
static void a_nul_inside_a_part_finds_nothing(void **state)
{
	fixture *f = *state;
	const sb_handler_name names[] = {
		{ sb_slice_of("b\0001", 3), sb_slice_z("a"), sb_slice_z("2") },
		{ sb_slice_z("b"), sb_slice_of("a\0b", 3), sb_slice_z("1") },
		{ sb_slice_z("b"), sb_slice_z("a"), sb_slice_of("1\0", 2) },
		{ sb_slice_z("1"), sb_slice_of("a\0b", 3), sb_slice_z("2") },
	};
	const sb_handler_name whole = { sb_slice_z("b"), sb_slice_z("a"), sb_slice_of(NULL, 0) };

	add(f, "b", "a", "1");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_null(sb_table_find(&f->table, &names[i]));
	assert_non_null(sb_table_find_family(&f->table, &whole));
}

static void the_versions_of_a_name_are_kept_highest_first(void **state)
{
	static const char *const added[] = { "1.9", "2.0", "1.10", "v3", "0.1", "1.9.1" };
	static const char *const sorted[] = { "v3", "2.0", "1.10", "1.9.1", "1.9", "0.1" };
	fixture *f = *state;
	const sb_handler_name name = name_of("ns", "mail", "");
	const sb_family *family;
	size_t count = 0;

	for (size_t i = 0; i < sizeof added / sizeof *added; i++)
		add(f, "ns", "mail", added[i]);
	family = sb_table_find_family(&f->table, &name);
	assert_non_null(family);
	for (const stepbus_handler *handler = family->versions; handler != NULL;
	     handler = handler->facts->lower)
		assert_string_equal(handler->facts->spec.version, sorted[count++]);
	assert_int_equal(count, 6);
}

static void a_family_goes_with_its_last_version(void **state)
{
	fixture *f = *state;
	stepbus_handler *first = add(f, "ns", "mail", "1.0");
	stepbus_handler *second = add(f, "ns", "mail", "2.0");
	const sb_handler_name name = name_of("ns", "mail", "");

	take_out(f, second);
	assert_non_null(sb_table_find_family(&f->table, &name));
	take_out(f, first);
	assert_null(sb_table_find_family(&f->table, &name));
}

typedef struct fall_back_row {
	const char *asked;
	const char *found; /* NULL: nothing */
} fall_back_row;

static void check_fall_backs(fixture *f, const fall_back_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const sb_handler_name name = name_of("ns", "mail", rows[i].asked);
		const stepbus_handler *handler = sb_table_fall_back(&f->table, &name);
		const char *found = handler != NULL ? handler->facts->spec.version : NULL;

		if ((found == NULL) != (rows[i].found == NULL) ||
		    (found != NULL && strcmp(found, rows[i].found) != 0))
			fail_msg("'%s' should fall back to %s, not to %s", rows[i].asked,
				 rows[i].found != NULL ? rows[i].found : "nothing",
				 found != NULL ? found : "nothing");
	}
}

static void without_a_default_it_falls_back_to_the_next_lower_version(void **state)
{
	static const fall_back_row rows[] = {
		{ "v9", "v4" },
		{ "v4", "v4" },
		{ "v3", "v2" },
		{ "v2.5", "v2" },
		{ "v1", NULL },
		{ "", "v4" },
		{ "latest", NULL },
		{ "0", NULL },
		/* Written differently, but the same. */
		{ "2.0.0", "v2" },
		{ "4", "v4" },
	};
	fixture *f = *state;

	add(f, "ns", "mail", "v2");
	add(f, "ns", "mail", "v4");
	check_fall_backs(f, rows, sizeof rows / sizeof *rows);
}

static void the_marked_default_is_taken_when_nothing_lower_is_left(void **state)
{
	static const fall_back_row rows[] = {
		{ "v9", "v4" }, { "v3", "v2" }, { "v1", "v2" }, { "", "v2" }, { "latest", "v2" },
	};
	fixture *f = *state;

	add_flagged(f, "ns", "mail", "v2", STEPBUS_HANDLER_DEFAULT);
	add(f, "ns", "mail", "v4");
	check_fall_backs(f, rows, sizeof rows / sizeof *rows);
}

static void of_two_marked_defaults_the_higher_one_is_taken(void **state)
{
	static const fall_back_row rows[] = { { "", "v3" }, { "v1", "v3" } };
	fixture *f = *state;

	add_flagged(f, "ns", "mail", "v2", STEPBUS_HANDLER_DEFAULT);
	add_flagged(f, "ns", "mail", "v3", STEPBUS_HANDLER_DEFAULT);
	add(f, "ns", "mail", "v4");
	check_fall_backs(f, rows, sizeof rows / sizeof *rows);
}

static void a_name_that_is_not_there_falls_back_to_nothing(void **state)
{
	fixture *f = *state;
	const sb_handler_name name = name_of("ns", "post", "");

	add(f, "ns", "mail", "v2");
	assert_null(sb_table_fall_back(&f->table, &name));
}

static void adding_without_memory_leaves_nothing_behind(void **state)
{
	fixture *f = *state;
	const sb_handler_name name = name_of("ns", "mail", "1.0");
	stepbus_handler *handler = NULL;
	size_t failures = 0;

	for (size_t n = 1; handler == NULL; n++) {
		f->host.fail_at = f->host.allocation_count + n;
		handler = add(f, "ns", "mail", "1.0");
		failures += handler == NULL;
		if (handler == NULL)
			assert_null(sb_table_find_family(&f->table, &name));
	}
	f->host.fail_at = 0;
	assert_true(failures > 2);
	assert_ptr_equal(sb_table_find(&f->table, &name), handler);
}

static void ten_thousand_names_are_all_found(void **state)
{
	enum { COUNT = 10000 };
	fixture *f = *state;
	char name[24];

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "h%d", i);
		assert_non_null(add(f, "ns", name, "1.0"));
	}
	for (int i = 0; i < COUNT; i++) {
		sb_handler_name key;

		snprintf(name, sizeof name, "h%d", i);
		key = name_of("ns", name, "1.0");
		assert_non_null(sb_table_find(&f->table, &key));
	}
	assert_int_equal(sb_map_count(&f->table.handlers), COUNT);
	assert_int_equal(sb_map_count(&f->table.families), COUNT);
}

static void a_swapped_handler_takes_the_place_of_the_other(void **state)
{
	fixture *f = *state;
	const sb_handler_name name = name_of("ns", "mail", "2.0");
	const sb_handler_name family_name = name_of("ns", "mail", "");
	const stepbus_handler_spec spec = test_spec("mail", "2.0");
	stepbus_handler_spec full = spec;
	stepbus_handler *before, *after;

	add(f, "ns", "mail", "1.0");
	before = add(f, "ns", "mail", "2.0");
	add(f, "ns", "mail", "3.0");
	full.handler_namespace = "ns";
	full.handler_namespace_len = 2;
	after = sb_handler_new(f->pool, &f->gate, &f->host.host, &full);
	sb_table_swap(&f->table, before, after);
	sb_handler_abandon(before);
	assert_ptr_equal(sb_table_find(&f->table, &name), after);
	assert_ptr_equal(sb_table_find_family(&f->table, &family_name)->versions->facts->lower,
			 after);
	assert_int_equal(sb_map_count(&f->table.handlers), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_added_version_is_found),
		TEST(what_differs_in_one_part_is_not_found),
		TEST(a_nul_inside_a_part_finds_nothing),
		TEST(the_versions_of_a_name_are_kept_highest_first),
		TEST(a_family_goes_with_its_last_version),
		TEST(without_a_default_it_falls_back_to_the_next_lower_version),
		TEST(the_marked_default_is_taken_when_nothing_lower_is_left),
		TEST(of_two_marked_defaults_the_higher_one_is_taken),
		TEST(a_name_that_is_not_there_falls_back_to_nothing),
		TEST(adding_without_memory_leaves_nothing_behind),
		TEST(ten_thousand_names_are_all_found),
		TEST(a_swapped_handler_takes_the_place_of_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
