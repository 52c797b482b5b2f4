/* SPDX-License-Identifier: MIT */
#include "registry/version.h"

#include "support/cmocka.h"

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

static int compare(const char *a, const char *b)
{
	return sign(sb_version_compare(sb_slice_z(a), sb_slice_z(b)));
}

/* Each is lower than all that follow it. */
static const char *const ascending[] = {
	"0.0.0-alpha",
	"0.0.0-beta",
	"0",
	"0.0",
	"0.0.0",
	"0.0.1",
	"0.1.0",
	"1-rc1",
	"1.0.0-rc1",
	"1.0.0-rc2",
	"1",
	"1.0",
	"1.0.0",
	"V1",
	"v1",
	"1.0.1",
	"1.2",
	"1.9",
	"1.10",
	"2.0",
	"2.0.0",
	"v2",
	"v2.0",
	"2.0.1-beta",
	"2.0.1",
	"v3-pre",
	"v3",
	"10",
	"9999999999",
	"18446744073709551614",
	"18446744073709551615",
	"99999999999999999999",
	"99999999999999999999.1",
};

enum { ASCENDING_COUNT = sizeof ascending / sizeof *ascending };

static void versions_are_ordered_as_the_list_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ASCENDING_COUNT; i++)
		for (size_t j = i + 1; j < ASCENDING_COUNT; j++)
			if (compare(ascending[i], ascending[j]) != -1)
				fail_msg("'%s' should be lower than '%s'", ascending[i],
					 ascending[j]);
}

/* All that a definition lets pass as a version, the strange ones first. */
static const char *const strange[] = {
	"",
	"-",
	"+",
	".",
	"_",
	"..",
	".5",
	"v",
	"V",
	"a",
	"v.5",
	"vv1",
	"v-1",
	"0",
	"00",
	"01",
	"1",
	"1.",
	"1..",
	"1..5",
	"1.a",
	"1.-1",
	"1-",
	"1_2",
	"1.00",
	"1.0",
	"1.0.0",
	"1.0.0-rc1",
	"1.0.0-rc.1",
	"1.0.0+5",
	"1a2",
	"2",
	"v2",
	"v2.0",
	"latest",
	"18446744073709551615",
	"18446744073709551616",
	"99999999999999999999999999999999999999999999999999999999999999",
	"0.99999999999999999999999999999999999999999999999999999999999999",
};

enum { STRANGE_COUNT = sizeof strange / sizeof *strange };

static void comparing_the_other_way_round_gives_the_opposite(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRANGE_COUNT; i++)
		for (size_t j = 0; j < STRANGE_COUNT; j++)
			if (compare(strange[i], strange[j]) != -compare(strange[j], strange[i]))
				fail_msg("'%s' and '%s' disagree", strange[i], strange[j]);
}

static void only_the_same_bytes_are_the_same_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRANGE_COUNT; i++)
		for (size_t j = 0; j < STRANGE_COUNT; j++)
			if ((compare(strange[i], strange[j]) == 0) != (i == j))
				fail_msg("'%s' and '%s' should%s be the same", strange[i],
					 strange[j], i == j ? "" : " not");
}

static void the_order_is_transitive(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRANGE_COUNT; i++)
		for (size_t j = 0; j < STRANGE_COUNT; j++)
			for (size_t k = 0; k < STRANGE_COUNT; k++)
				if (compare(strange[i], strange[j]) < 0 &&
				    compare(strange[j], strange[k]) < 0 &&
				    compare(strange[i], strange[k]) >= 0)
					fail_msg("'%s' < '%s' < '%s', but not '%s' < '%s'",
						 strange[i], strange[j], strange[k], strange[i],
						 strange[k]);
}

/* The bytes behind a slice are not its own: a sanitizer sees it when they are read. */
static void nothing_behind_the_text_is_read(void **state)
{
	const char block[] = { '1', '.', '2', '.', '9' };

	(void)state;
	assert_int_equal(sign(sb_version_compare(sb_slice_of(block, 3), sb_slice_z("1.2"))), 0);
	assert_int_equal(sign(sb_version_compare(sb_slice_of(block, 4), sb_slice_z("1.2."))), 0);
	assert_int_equal(sign(sb_version_compare(sb_slice_of(block, 5), sb_slice_z("1.2.9"))), 0);
	assert_int_equal(sign(sb_version_compare(sb_slice_of(NULL, 0), sb_slice_z("0.1"))), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_ordered_as_the_list_says),
		cmocka_unit_test(comparing_the_other_way_round_gives_the_opposite),
		cmocka_unit_test(only_the_same_bytes_are_the_same_version),
		cmocka_unit_test(the_order_is_transitive),
		cmocka_unit_test(nothing_behind_the_text_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
