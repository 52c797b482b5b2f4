/* SPDX-License-Identifier: MIT */
#include "handlers/zone_shelf.h"

#include "support/cmocka.h"
#include "support/host.h"

static void a_zone_is_read_once(void **state)
{
	const sb_zone *first = NULL, *again = NULL, *other = NULL;
	sb_zone_shelf shelf;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_zone_shelf_init(&shelf, &t.host, NULL), STEPBUS_OK);
	assert_int_equal(sb_zone_shelf_find(&shelf, sb_slice_z("Europe/Berlin"), &first, NULL),
			 STEPBUS_OK);
	assert_int_equal(sb_zone_shelf_find(&shelf, sb_slice_z("Asia/Kathmandu"), &other, NULL),
			 STEPBUS_OK);
	assert_int_equal(sb_zone_shelf_find(&shelf, sb_slice_z("Europe/Berlin"), &again, NULL),
			 STEPBUS_OK);
	assert_non_null(first);
	assert_ptr_equal(first, again);
	assert_ptr_not_equal(first, other);
	sb_zone_shelf_free(&shelf);
	test_host_end(&t);
}

static void utc_is_no_zone_and_needs_no_file(void **state)
{
	const sb_zone *zone = NULL;
	sb_zone_shelf shelf;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_zone_shelf_init(&shelf, &t.host, NULL), STEPBUS_OK);
	assert_int_equal(sb_zone_shelf_find(&shelf, sb_slice_of(NULL, 0), &zone, NULL), STEPBUS_OK);
	assert_null(zone);
	assert_int_equal(sb_zone_shelf_find(&shelf, sb_slice_z("UTC"), &zone, NULL), STEPBUS_OK);
	assert_null(zone);
	sb_zone_shelf_free(&shelf);
	test_host_end(&t);
}

static stepbus_status find_two(test_host *t, stepbus_error *err)
{
	sb_zone_shelf shelf = { 0 };
	const sb_zone *zone = NULL;
	stepbus_status status = sb_zone_shelf_init(&shelf, &t->host, err);

	if (status == STEPBUS_OK)
		status = sb_zone_shelf_find(&shelf, sb_slice_z("Europe/Berlin"), &zone, err);
	if (status == STEPBUS_OK && zone == NULL)
		return STEPBUS_ESYSTEM;
	if (status == STEPBUS_OK)
		status = sb_zone_shelf_find(&shelf, sb_slice_z("Europe/Berlin"), &zone, err);
	sb_zone_shelf_free(&shelf);
	return status;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	const test_scenario scenario = { .name = "zones", .run = find_two };

	(void)state;
	test_fail_each_allocation(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zone_is_read_once),
		cmocka_unit_test(utc_is_no_zone_and_needs_no_file),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
