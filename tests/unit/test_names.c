/* SPDX-License-Identifier: MIT */
/* The numbers of names, kept at hand: the same each time, and forgotten with their transaction. */
#include "handlers/names.h"

#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"

typedef struct world {
	test_host host;
	sb_store *store;
	sb_names names;
	stepbus_error err;
} world;

static int set_up(void **state)
{
	static world w;
	const sb_store_options options = { .host = &w.host.host,
					   .durability = SB_DURABILITY_MEMORY };

	memset(&w, 0, sizeof w);
	w.err.size = sizeof w.err;
	test_host_init(&w.host);
	assert_int_equal(sb_memory_store_open(&options, &w.store, &w.err), STEPBUS_OK);
	assert_int_equal(sb_names_init(&w.names, &w.host.host, &w.err), STEPBUS_OK);
	assert_int_equal(w.store->type->begin(w.store, &w.err), STEPBUS_OK);
	*state = &w;
	return 0;
}

static void commit(world *w)
{
	assert_int_equal(w->store->type->commit(w->store, &w->err), STEPBUS_OK);
	sb_names_keep(&w->names);
	assert_int_equal(w->store->type->begin(w->store, &w->err), STEPBUS_OK);
}

static void roll_back(world *w)
{
	w->store->type->rollback(w->store);
	sb_names_forget(&w->names);
	assert_int_equal(w->store->type->begin(w->store, &w->err), STEPBUS_OK);
}

static int tear_down(void **state)
{
	world *w = *state;

	w->store->type->rollback(w->store);
	sb_names_free(&w->names);
	w->store->type->close(w->store);
	test_host_end(&w->host);
	return 0;
}

static int64_t queue(world *w, const char *name)
{
	int64_t id = 0;

	assert_int_equal(sb_names_queue(&w->names, w->store, sb_slice_z(name), &id, &w->err),
			 STEPBUS_OK);
	return id;
}

static int64_t handler(world *w, const char *handler_namespace, const char *name,
		       const char *version)
{
	const sb_handler_row row = { .handler_namespace = sb_slice_z(handler_namespace),
				     .name = sb_slice_z(name),
				     .version = sb_slice_z(version) };
	int64_t id = 0;

	assert_int_equal(sb_names_handler(&w->names, w->store, &row, &id, &w->err), STEPBUS_OK);
	return id;
}

static void a_name_has_one_number(void **state)
{
	world *w = *state;
	int64_t mail = queue(w, "mail"), bulk = queue(w, "bulk");
	sb_slice name;

	assert_int_not_equal(mail, bulk);
	assert_int_equal(queue(w, "mail"), mail);
	commit(w);
	assert_int_equal(queue(w, "mail"), mail);
	assert_int_equal(sb_names_queue_of(&w->names, w->store, bulk, &name, &w->err), STEPBUS_OK);
	assert_true(sb_slice_is_equal(name, sb_slice_z("bulk")));
}

static void handlers_are_told_apart_by_all_three_parts(void **state)
{
	world *w = *state;
	int64_t ids[5] = { handler(w, "a", "b", "c"), handler(w, "ab", "", "c"),
			   handler(w, "a", "bc", ""), handler(w, "a", "b", ""),
			   handler(w, "b", "b", "c") };

	for (size_t i = 0; i < 5; i++)
		for (size_t k = i + 1; k < 5; k++)
			assert_int_not_equal(ids[i], ids[k]);
	assert_int_equal(handler(w, "a", "b", "c"), ids[0]);
}

static void what_is_rolled_back_is_forgotten(void **state)
{
	world *w = *state;
	int64_t kept = queue(w, "kept"), lost, made;
	sb_slice name;

	commit(w);
	lost = queue(w, "lost");
	(void)handler(w, "default", "lost", "");
	roll_back(w);
	assert_int_equal(queue(w, "kept"), kept);
	/* Its number may be another's now. */
	made = queue(w, "other");
	assert_int_equal(sb_names_queue_of(&w->names, w->store, made, &name, &w->err), STEPBUS_OK);
	assert_true(sb_slice_is_equal(name, sb_slice_z("other")));
	assert_int_not_equal(queue(w, "lost"), made);
	(void)lost;
}

static void what_others_made_is_learnt_from_the_store(void **state)
{
	world *w = *state;
	const sb_handler_row row = { .handler_namespace = sb_slice_z("default"),
				     .name = sb_slice_z("work"),
				     .version = sb_slice_z("2") };
	sb_known_handler *known = NULL;
	int64_t queue_id, handler_id;
	sb_slice name;

	assert_int_equal(
		w->store->type->queue_intern(w->store, sb_slice_z("q"), &queue_id, &w->err),
		STEPBUS_OK);
	assert_int_equal(w->store->type->handler_intern(w->store, &row, &handler_id, &w->err),
			 STEPBUS_OK);
	assert_int_equal(sb_names_queue_of(&w->names, w->store, queue_id, &name, &w->err),
			 STEPBUS_OK);
	assert_true(sb_slice_is_equal(name, sb_slice_z("q")));
	assert_int_equal(sb_names_handler_of(&w->names, w->store, handler_id, &known, &w->err),
			 STEPBUS_OK);
	assert_int_equal(known->id, handler_id);
	assert_true(sb_slice_is_equal(known->row.name, sb_slice_z("work")));
	assert_true(sb_slice_is_equal(known->row.version, sb_slice_z("2")));
	assert_int_equal(handler(w, "default", "work", "2"), handler_id);
}

static void a_number_that_nobody_gave_is_not_found(void **state)
{
	world *w = *state;
	sb_known_handler *known = NULL;
	sb_slice name;

	assert_int_equal(sb_names_queue_of(&w->names, w->store, 99, &name, &w->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(sb_names_handler_of(&w->names, w->store, 99, &known, &w->err),
			 STEPBUS_ENOTFOUND);
}

static void many_names_keep_their_numbers(void **state)
{
	enum { COUNT = 300 };
	world *w = *state;
	int64_t ids[COUNT];
	char name[16];

	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof name, "n%d", i);
		ids[i] = queue(w, name);
		if (i % 50 == 49)
			commit(w);
	}
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof name, "n%d", i);
		assert_int_equal(queue(w, name), ids[i]);
	}
}

#define NAMES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAMES_TEST(a_name_has_one_number),
		NAMES_TEST(handlers_are_told_apart_by_all_three_parts),
		NAMES_TEST(what_is_rolled_back_is_forgotten),
		NAMES_TEST(what_others_made_is_learnt_from_the_store),
		NAMES_TEST(a_number_that_nobody_gave_is_not_found),
		NAMES_TEST(many_names_keep_their_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
