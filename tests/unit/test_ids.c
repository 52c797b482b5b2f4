/* SPDX-License-Identifier: MIT */
#include "base/ids.h"

#include <string.h>

#include "support/cmocka.h"

static const uint8_t zeros[SB_ID_RANDOM_LEN];
static const uint8_t ones[SB_ID_RANDOM_LEN] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
						0xFF, 0xFF, 0xFF, 0xFF, 0xFF };

static void an_id_has_time_version_variant_and_random_bits(void **state)
{
	static const uint8_t random[SB_ID_RANDOM_LEN] = { 0xAB, 0xCD, 0xEF, 0x01, 0x23,
							  0x45, 0x67, 0x89, 0xAB, 0xCD };
	char text[SB_ID_TEXT_LEN + 1];
	uint8_t id[SB_ID_LEN];

	(void)state;
	sb_id_make(id, UINT64_C(0x017F22E279B0), random);
	sb_id_format(id, text);
	assert_string_equal(text, "017f22e2-79b0-7bcd-af01-23456789abcd");
}

static void version_and_variant_are_set_whatever_the_random_bits(void **state)
{
	const uint8_t *randoms[] = { zeros, ones };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t id[SB_ID_LEN];

		sb_id_make(id, UINT64_MAX, randoms[i]);
		assert_int_equal(id[6] >> 4, 7);
		assert_int_equal(id[8] >> 6, 2);
	}
}

static void all_other_bits_are_random(void **state)
{
	uint8_t low[SB_ID_LEN], high[SB_ID_LEN];
	int random_count = 0;

	(void)state;
	sb_id_make(low, 0, zeros);
	sb_id_make(high, 0, ones);
	for (size_t i = 0; i < SB_ID_LEN; i++)
		for (int bit = 0; bit < 8; bit++)
			random_count += ((low[i] ^ high[i]) >> bit & 1);
	assert_int_equal(random_count, 74);
}

static void only_48_bits_of_the_time_are_kept(void **state)
{
	uint8_t kept[SB_ID_LEN], cut[SB_ID_LEN];

	(void)state;
	sb_id_make(kept, UINT64_C(0x0000123456789ABC), zeros);
	sb_id_make(cut, UINT64_C(0xFFFF123456789ABC), zeros);
	assert_memory_equal(kept, cut, SB_ID_LEN);
	assert_memory_equal(kept, "\x12\x34\x56\x78\x9a\xbc", 6);
}

static void an_id_made_later_sorts_later_as_bytes_and_as_text(void **state)
{
	static const uint64_t times_ms[] = { 0,
					     1,
					     255,
					     256,
					     65535,
					     65536,
					     UINT64_C(1795257045123),
					     UINT64_C(1795257045124),
					     (UINT64_C(1) << 48) - 1 };

	(void)state;
	for (size_t i = 1; i < sizeof times_ms / sizeof *times_ms; i++) {
		char earlier_text[SB_ID_TEXT_LEN + 1], later_text[SB_ID_TEXT_LEN + 1];
		uint8_t earlier[SB_ID_LEN], later[SB_ID_LEN];

		sb_id_make(earlier, times_ms[i - 1], ones);
		sb_id_make(later, times_ms[i], zeros);
		assert_true(memcmp(earlier, later, SB_ID_LEN) < 0);
		sb_id_format(earlier, earlier_text);
		sb_id_format(later, later_text);
		assert_true(strcmp(earlier_text, later_text) < 0);
	}
}

static void what_is_formatted_can_be_parsed(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint8_t id[SB_ID_LEN], parsed[SB_ID_LEN];
		char text[SB_ID_TEXT_LEN + 1];

		for (size_t j = 0; j < SB_ID_LEN; j++) {
			random = random * 1664525 + 1013904223;
			id[j] = (uint8_t)(random >> 24);
		}
		sb_id_format(id, text);
		assert_int_equal(strlen(text), SB_ID_TEXT_LEN);
		assert_true(sb_id_parse(text, SB_ID_TEXT_LEN, parsed));
		assert_memory_equal(parsed, id, SB_ID_LEN);
	}
}

static void upper_case_and_other_versions_are_read(void **state)
{
	static const uint8_t wanted[SB_ID_LEN] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF,
						   0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10 };
	uint8_t id[SB_ID_LEN];

	(void)state;
	assert_true(sb_id_parse("01234567-89AB-CDEF-FEDC-BA9876543210", 36, id));
	assert_memory_equal(id, wanted, SB_ID_LEN);
	assert_true(sb_id_parse("01234567-89ab-CDef-FEdc-ba9876543210", 36, id));
	assert_memory_equal(id, wanted, SB_ID_LEN);
	assert_true(sb_id_parse("00000000-0000-0000-0000-000000000000", 36, id));
}

static void text_that_is_no_id_is_refused_and_writes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"017f22e2-79b0-7bcd-af01-23456789abc",
		"017f22e2-79b0-7bcd-af01-23456789abcde",
		"017f22e279b07bcdaf0123456789abcd",
		"{17f22e2-79b0-7bcd-af01-23456789abc}",
		"017f22e2-79b0-7bcd-af01-23456789abcg",
		"017f22e2-79b0-7bcd-af01-23456789abc ",
		" 17f22e2-79b0-7bcd-af01-23456789abcd",
		"017f22e2 79b0-7bcd-af01-23456789abcd",
		"017f22e-279b0-7bcd-af01-23456789abcd",
		"017f22e2-79b0-7bcd-af01_23456789abcd",
		"-17f22e2-79b0-7bcd-af01-23456789abcd",
		"017f22e2-79b0-7bcd-af01-2345678\xff"
		"abcd",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t id[SB_ID_LEN], before[SB_ID_LEN];

		memset(id, 0x5A, sizeof id);
		memcpy(before, id, sizeof id);
		if (sb_id_parse(texts[i], strlen(texts[i]), id))
			fail_msg("'%s' is no id", texts[i]);
		assert_memory_equal(id, before, SB_ID_LEN);
	}
	assert_false(sb_id_parse(NULL, 36, NULL));
	assert_false(sb_id_parse("017f22e2-79b0-7bcd-af01-23456789abcd", 35, NULL));
}

static const uint8_t tag[SB_ID_TAG_LEN] = { 0x12, 0x34, 0x56, 0x78, 0x9A,
					    0xBC, 0xDE, 0xF0, 0x11, 0x22 };

static void an_id_of_a_row_has_its_number_and_the_tag(void **state)
{
	char text[SB_ID_TEXT_LEN + 1];
	uint8_t id[SB_ID_LEN];

	(void)state;
	sb_id_of_row(INT64_C(0x0123456789AB), tag, id);
	sb_id_format(id, text);
	assert_string_equal(text, "01234567-89ab-8234-9678-9abcdef01122");
}

static void an_id_of_a_row_is_of_version_8_whatever_the_tag(void **state)
{
	const uint8_t *tags[] = { zeros, ones, tag };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t id[SB_ID_LEN];

		sb_id_of_row(1, tags[i], id);
		assert_int_equal(id[6] >> 4, 8);
		assert_int_equal(id[8] >> 6, 2);
	}
}

static void a_row_is_found_by_its_id(void **state)
{
	static const int64_t rows[] = { 1, 2, 255, 256, 1000000, INT64_C(0xFFFFFFFFFFFF) };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t id[SB_ID_LEN];

		sb_id_of_row(rows[i], tag, id);
		assert_int_equal(sb_id_to_row(id, tag), rows[i]);
		assert_int_equal(sb_id_to_row(id, zeros), 0);
		assert_int_equal(sb_id_to_row(id, ones), 0);
	}
}

static void an_id_of_another_kind_is_of_no_row(void **state)
{
	uint8_t id[SB_ID_LEN];

	(void)state;
	sb_id_make(id, 77, tag);
	assert_int_equal(sb_id_to_row(id, tag), 0);
	memset(id, 0, sizeof id);
	assert_int_equal(sb_id_to_row(id, tag), 0);
	for (size_t byte = 6; byte < SB_ID_LEN; byte++)
		for (int bit = 0; bit < 8; bit++) {
			sb_id_of_row(77, tag, id);
			id[byte] = (uint8_t)(id[byte] ^ 1 << bit);
			assert_int_equal(sb_id_to_row(id, tag), 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_has_time_version_variant_and_random_bits),
		cmocka_unit_test(version_and_variant_are_set_whatever_the_random_bits),
		cmocka_unit_test(all_other_bits_are_random),
		cmocka_unit_test(only_48_bits_of_the_time_are_kept),
		cmocka_unit_test(an_id_made_later_sorts_later_as_bytes_and_as_text),
		cmocka_unit_test(what_is_formatted_can_be_parsed),
		cmocka_unit_test(upper_case_and_other_versions_are_read),
		cmocka_unit_test(text_that_is_no_id_is_refused_and_writes_nothing),
		cmocka_unit_test(an_id_of_a_row_has_its_number_and_the_tag),
		cmocka_unit_test(an_id_of_a_row_is_of_version_8_whatever_the_tag),
		cmocka_unit_test(a_row_is_found_by_its_id),
		cmocka_unit_test(an_id_of_another_kind_is_of_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
