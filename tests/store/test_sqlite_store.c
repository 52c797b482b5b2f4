/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/conformance.h"

/* A directory of its own, in which the store and what it puts beside it lie. */
static void make_place(char place[TEST_PLACE_LEN])
{
	const char *parent = getenv("TMPDIR");
	char directory[TEST_PLACE_LEN - 16];
	int len = snprintf(directory, sizeof directory, "%s/stepbus-store-XXXXXX",
			   parent != NULL && parent[0] != '\0' ? parent : "/tmp");

	assert_in_range(len, 1, sizeof directory - 1);
	assert_non_null(mkdtemp(directory));
	snprintf(place, TEST_PLACE_LEN, "%s/steps.db", directory);
}

static void remove_file(const char *directory, const char *name)
{
	char path[2 * TEST_PLACE_LEN];

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_int_equal(unlink(path), 0);
}

static void end_place(const char *place)
{
	char directory[TEST_PLACE_LEN];
	const struct dirent *entry;
	DIR *files;

	snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(place, '/') - place), place);
	files = opendir(directory);
	assert_non_null(files);
	while ((entry = readdir(files)) != NULL)
		remove_file(directory, entry->d_name);
	closedir(files);
	assert_int_equal(rmdir(directory), 0);
}

static stepbus_status open_store(const stepbus_host *host, const char *place, sb_store **out,
				 stepbus_error *err)
{
	const sb_store_options options = {
		.host = host,
		.path = place,
		.durability = SB_DURABILITY_PROCESS,
		.busy_timeout_ms = 5000,
		.wal_alarm_bytes = INT64_C(64) << 20,
	};

	return sb_sqlite_store_open(&options, out, err);
}

static const test_store_kind kind = {
	.name = "sqlite",
	.is_durable = true,
	.make_place = make_place,
	.end_place = end_place,
	.open = open_store,
};

int main(void)
{
	return test_conformance_run(&kind);
}
