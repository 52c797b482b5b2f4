/* SPDX-License-Identifier: MIT */
#include "handlers/zone_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/tzif.h"

typedef struct shelf_of_zones {
	test_host t;
	char directory[64];
	stepbus_error err;
} shelf_of_zones;

static int set_up(void **state)
{
	shelf_of_zones *shelf = test_calloc(1, sizeof *shelf);

	test_host_init(&shelf->t);
	memcpy(shelf->directory, "/tmp/stepbus-zones-XXXXXX", 26);
	assert_non_null(mkdtemp(shelf->directory));
	shelf->err.size = sizeof shelf->err;
	*state = shelf;
	return 0;
}

static int tear_down(void **state)
{
	shelf_of_zones *shelf = *state;

	assert_int_equal(rmdir(shelf->directory), 0);
	test_host_end(&shelf->t);
	test_free(shelf);
	return 0;
}

static void path_of(const shelf_of_zones *shelf, const char *name, char path[128])
{
	(void)snprintf(path, 128, "%s/%s", shelf->directory, name);
}

static void put(const shelf_of_zones *shelf, const char *name, const void *bytes, size_t len)
{
	char path[128];
	FILE *file;

	path_of(shelf, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void take_away(const shelf_of_zones *shelf, const char *name)
{
	char path[128];

	path_of(shelf, name, path);
	assert_int_equal(remove(path), 0);
}

static stepbus_status load(shelf_of_zones *shelf, const char *name, sb_zone **zone)
{
	stepbus_status status =
		sb_zone_load(&shelf->t.host, shelf->directory, sb_slice_z(name), zone, &shelf->err);

	if (status != STEPBUS_OK)
		assert_null(*zone);
	return status;
}

static void a_zone_is_loaded_by_its_name(void **state)
{
	shelf_of_zones *shelf = *state;
	uint8_t bytes[TEST_TZIF_LEN];
	char path[128];
	sb_zone *zone;

	path_of(shelf, "Europe", path);
	assert_int_equal(mkdir(path, 0700), 0);
	put(shelf, "Europe/Berlin", bytes, test_tzif_write(test_zone_named("Berlin"), bytes));
	path_of(shelf, "Europe/Other", path);
	assert_int_equal(symlink("Berlin", path), 0);
	assert_int_equal(load(shelf, "Europe/Berlin", &zone), STEPBUS_OK);
	assert_int_equal(sb_zone_offset_s(zone, 1792800000), 7200);
	sb_zone_free(&shelf->t.host, zone);
	assert_int_equal(load(shelf, "Europe/Other", &zone), STEPBUS_OK);
	sb_zone_free(&shelf->t.host, zone);
	take_away(shelf, "Europe/Other");
	take_away(shelf, "Europe/Berlin");
	take_away(shelf, "Europe");
}

static void utc_needs_no_file(void **state)
{
	shelf_of_zones *shelf = *state;
	sb_zone *zone;

	assert_int_equal(load(shelf, "UTC", &zone), STEPBUS_OK);
	assert_null(zone);
	assert_int_equal(load(shelf, "", &zone), STEPBUS_OK);
	assert_null(zone);
}

static void a_name_that_leads_elsewhere_is_refused(void **state)
{
	static const char *const names[] = {
		"/etc/passwd",
		"..",
		"../zone",
		"Europe/../zone",
		"Europe/..",
		"Europe//Berlin",
		"Europe/",
		"/",
		".",
		"Europe/.hidden",
		"-Europe",
		"Europe Berlin",
		"Europe\\Berlin",
		"a.b",
		"Z\xC3\xBCrich",
		"%s",
		"a\nb",
		"A234567890123456789012345678901234567890123456789012345678901234x",
	};
	shelf_of_zones *shelf = *state;
	sb_zone *zone;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (load(shelf, names[i], &zone) != STEPBUS_EINVAL)
			fail_msg("'%s' is allowed", names[i]);
	assert_int_equal(sb_zone_load(&shelf->t.host, shelf->directory, sb_slice_of("a\0b", 3),
				      &zone, &shelf->err),
			 STEPBUS_EINVAL);
	assert_string_equal(
		shelf->err.message,
		"the time zone 'a?b' is not allowed: a name like Europe/Berlin, 1 to 64 "
		"bytes of [A-Za-z0-9_+/-], is");
}

static void a_zone_that_is_missing_is_not_found(void **state)
{
	shelf_of_zones *shelf = *state;
	char expected[256];
	sb_zone *zone;

	assert_int_equal(load(shelf, "Europe/Nowhere", &zone), STEPBUS_ENOTFOUND);
	(void)snprintf(expected, sizeof expected,
		       "there is no %s/Europe/Nowhere: check the name, and install tzdata where it "
		       "is missing",
		       shelf->directory);
	assert_string_equal(shelf->err.message, expected);
	assert_int_equal(load(shelf,
			      "A23456789012345678901234567890123456789012345678901234567890123",
			      &zone),
			 STEPBUS_ENOTFOUND);
}

static void what_is_no_zone_is_refused(void **state)
{
	shelf_of_zones *shelf = *state;
	char *large = test_calloc(1, SB_ZONE_LEN_MAX + 1);
	char path[128], expected[256];
	sb_zone *zone;

	put(shelf, "text", "not a zone", 10);
	assert_int_equal(load(shelf, "text", &zone), STEPBUS_EINVAL);
	(void)snprintf(expected, sizeof expected, "cannot use %s/text: the bytes are no TZif",
		       shelf->directory);
	assert_string_equal(shelf->err.message, expected);
	put(shelf, "large", large, SB_ZONE_LEN_MAX + 1);
	assert_int_equal(load(shelf, "large", &zone), STEPBUS_EINVAL);
	put(shelf, "empty", "", 0);
	assert_int_equal(load(shelf, "empty", &zone), STEPBUS_EINVAL);
	path_of(shelf, "folder", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load(shelf, "folder", &zone), STEPBUS_EINVAL);
	path_of(shelf, "pipe", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(shelf, "pipe", &zone), STEPBUS_EINVAL);
	path_of(shelf, "loop", path);
	assert_int_equal(symlink("loop", path), 0);
	assert_int_equal(load(shelf, "loop", &zone), STEPBUS_ESYSTEM);
	take_away(shelf, "text");
	take_away(shelf, "large");
	take_away(shelf, "empty");
	take_away(shelf, "folder");
	take_away(shelf, "pipe");
	take_away(shelf, "loop");
	test_free(large);
}

static stepbus_status load_berlin(test_host *t, stepbus_error *err)
{
	char directory[] = "/tmp/stepbus-zones-XXXXXX", path[64];
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(test_zone_named("Berlin"), bytes);
	stepbus_status status = STEPBUS_ESYSTEM;
	sb_zone *zone = NULL;
	FILE *file;

	if (mkdtemp(directory) == NULL)
		return status;
	(void)snprintf(path, sizeof path, "%s/Berlin", directory);
	file = fopen(path, "w");
	if (file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0)
		status = sb_zone_load(&t->host, directory, sb_slice_z("Berlin"), &zone, err);
	sb_zone_free(&t->host, zone);
	(void)remove(path);
	(void)remove(directory);
	return status;
}

static void running_out_of_memory_is_said(void **state)
{
	const test_scenario scenario = { "zone file", load_berlin, false };

	(void)state;
	assert_int_equal(test_fail_each_allocation(&scenario), 4);
}

/* What the C library makes of the same file. */
static int32_t system_offset_s(int64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm local;

	assert_non_null(localtime_r(&at, &local));
	return (int32_t)local.tm_gmtoff;
}

static void compare_with_system(test_host *t, const char *name)
{
	stepbus_error err = { .size = sizeof err };
	sb_zone *zone;

	if (sb_zone_load(&t->host, SB_ZONE_DIRECTORY, sb_slice_z(name), &zone, &err) != STEPBUS_OK)
		fail_msg("cannot load '%s': %s", name, err.message);
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
	for (int64_t at_s = -3000000000; at_s < 8000000000; at_s += 4567890) {
		int64_t next_s;

		if (sb_zone_offset_s(zone, at_s) != system_offset_s(at_s))
			fail_msg("%s at %lld: %d is not %d", name, (long long)at_s,
				 sb_zone_offset_s(zone, at_s), system_offset_s(at_s));
		if (!sb_zone_next(zone, at_s, &next_s))
			continue;
		assert_int_equal(sb_zone_offset_s(zone, next_s - 1), system_offset_s(next_s - 1));
		assert_int_equal(sb_zone_offset_s(zone, next_s), system_offset_s(next_s));
	}
	sb_zone_free(&t->host, zone);
}

/* Runs where the system has time zones, and then holds all that its list names. */
static void zones_of_the_system_are_read_as_the_system_reads_them(void **state)
{
	FILE *list = fopen(SB_ZONE_DIRECTORY "/zone1970.tab", "r");
	char line[512], name[128];
	test_host t;
	int count = 0;

	(void)state;
	if (list == NULL)
		skip();
	test_host_init(&t);
	while (fgets(line, sizeof line, list) != NULL)
		if (line[0] != '#' && sscanf(line, "%*s %*s %127s", name) == 1) {
			compare_with_system(&t, name);
			count++;
		}
	(void)fclose(list);
	test_host_end(&t);
	assert_true(count > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_zone_is_loaded_by_its_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(utc_needs_no_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_that_leads_elsewhere_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_zone_that_is_missing_is_not_found, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_zone_is_refused, set_up, tear_down),
		cmocka_unit_test(running_out_of_memory_is_said),
		cmocka_unit_test(zones_of_the_system_are_read_as_the_system_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
