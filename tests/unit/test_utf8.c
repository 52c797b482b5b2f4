/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <string.h>

#include "support/cmocka.h"

typedef struct valid_row {
	const char *text;
	size_t len;
	bool is_valid;
} valid_row;

#define ROW(text, is_valid)                          \
	{                                            \
		(text), sizeof(text) - 1, (is_valid) \
	}

static const valid_row valid_rows[] = {
	ROW("", true),
	ROW("plain", true),
	ROW("\x7f", true),
	ROW("\xc3\xa4", true),
	ROW("\xe2\x82\xac", true),
	ROW("\xf0\x9f\x98\x80", true),
	ROW("\xc2\x80", true),
	ROW("\xdf\xbf", true),
	ROW("\xe0\xa0\x80", true),
	ROW("\xed\x9f\xbf", true),
	ROW("\xee\x80\x80", true),
	ROW("\xef\xbf\xbf", true),
	ROW("\xf0\x90\x80\x80", true),
	ROW("\xf4\x8f\xbf\xbf", true),
	ROW("\xef\xbb\xbf", true),
	/* NUL has no place in a text. */
	ROW("\0", false),
	ROW("a\0b", false),
	/* Continuations without a beginning, and beginnings without one. */
	ROW("\x80", false),
	ROW("\xbf", false),
	ROW("a\x80", false),
	ROW("\xc3", false),
	ROW("\xc3(", false),
	ROW("\xe2\x82", false),
	ROW("\xe2\x82(", false),
	ROW("\xf0\x9f\x98", false),
	ROW("\xf0\x9f(\x80", false),
	ROW("\xf0\x9f\x98(", false),
	/* Overlong forms. */
	ROW("\xc0\x80", false),
	ROW("\xc1\xbf", false),
	ROW("\xe0\x9f\xbf", false),
	ROW("\xf0\x8f\xbf\xbf", false),
	/* Surrogates. */
	ROW("\xed\xa0\x80", false),
	ROW("\xed\xbf\xbf", false),
	/* Past U+10FFFF, and bytes that occur nowhere. */
	ROW("\xf4\x90\x80\x80", false),
	ROW("\xf5\x80\x80\x80", false),
	ROW("\xf8\x88\x80\x80\x80", false),
	ROW("\xfe", false),
	ROW("\xff", false),
};

static void text_is_valid_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof valid_rows / sizeof *valid_rows; i++)
		if (sb_utf8_is_valid(valid_rows[i].text, valid_rows[i].len) !=
		    valid_rows[i].is_valid)
			fail_msg("row %zu should be %d", i, valid_rows[i].is_valid);
}

static void no_text_at_all_is_valid(void **state)
{
	(void)state;
	assert_true(sb_utf8_is_valid(NULL, 0));
}

/* Writes the character and returns its length. An encoder of its own, so that it can disagree. */
static size_t encode(uint32_t code, char *bytes)
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xC0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (char)(0xE0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
		bytes[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	bytes[0] = (char)(0xF0 | code >> 18);
	bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
	bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
	bytes[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static void every_character_is_valid_and_no_surrogate_is(void **state)
{
	(void)state;
	for (uint32_t code = 1; code <= 0x10FFFF; code++) {
		bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
		char bytes[4];
		size_t len = encode(code, bytes);

		if (sb_utf8_is_valid(bytes, len) == is_surrogate)
			fail_msg("U+%04X should be %s", code, is_surrogate ? "invalid" : "valid");
		if (len > 1 && sb_utf8_is_valid(bytes, len - 1))
			fail_msg("U+%04X without its last byte should be invalid", code);
	}
}

typedef struct cut_row {
	const char *text;
	size_t len;
	size_t cut_len;
} cut_row;

static void a_cut_does_not_end_inside_a_character(void **state)
{
	static const cut_row rows[] = {
		{ "", 0, 0 },
		{ "abc", 3, 3 },
		{ "abc", 2, 2 },
		{ "a\xc3\xa4", 3, 3 },
		{ "a\xc3\xa4", 2, 1 },
		{ "\xc3\xa4", 1, 0 },
		{ "\xe2\x82\xac", 3, 3 },
		{ "\xe2\x82\xac", 2, 0 },
		{ "\xe2\x82\xac", 1, 0 },
		{ "x\xf0\x9f\x98\x80", 5, 5 },
		{ "x\xf0\x9f\x98\x80", 4, 1 },
		{ "x\xf0\x9f\x98\x80", 3, 1 },
		{ "x\xf0\x9f\x98\x80", 2, 1 },
		{ "x\xf0\x9f\x98\x80y", 6, 6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (sb_utf8_cut(rows[i].text, rows[i].len) != rows[i].cut_len)
			fail_msg("row %zu should be cut to %zu", i, rows[i].cut_len);
}

static void a_cut_of_every_length_leaves_valid_text(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z\xf4\x8f\xbf\xbf";

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		size_t kept = sb_utf8_cut(text, len);

		assert_true(kept <= len && len - kept < 4);
		assert_true(sb_utf8_is_valid(text, kept));
	}
}

static void a_cut_of_hostile_bytes_stays_in_bounds(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 8; len++) {
		char bytes[8];

		memset(bytes, 0x80, sizeof bytes);
		assert_true(sb_utf8_cut(bytes, len) <= len);
		memset(bytes, 0xFF, sizeof bytes);
		assert_true(sb_utf8_cut(bytes, len) <= len);
	}
}

typedef struct repair_row {
	const char *text;
	size_t len;
	const char *repaired;
} repair_row;

#define REPAIR(text, repaired)                       \
	{                                            \
		(text), sizeof(text) - 1, (repaired) \
	}

static void repairing_replaces_what_belongs_to_no_character(void **state)
{
	static const repair_row rows[] = {
		REPAIR("plain", "plain"),
		REPAIR("a\xc3\xa4z", "a\xc3\xa4z"),
		REPAIR("a\0b", "a?b"),
		REPAIR("\xff", "?"),
		REPAIR("\xc3", "?"),
		REPAIR("\xc3(", "?("),
		REPAIR("\xe2\x82)", "?"
				    "?)"),
		REPAIR("\xed\xa0\x80", "???"),
		REPAIR("\x80\xf0\x9f\x98\x80", "?\xf0\x9f\x98\x80"),
		REPAIR("\xf0\x9f\x98", "???"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[16] = { 0 };

		memcpy(text, rows[i].text, rows[i].len);
		sb_utf8_repair(text, rows[i].len);
		assert_string_equal(text, rows[i].repaired);
	}
}

static void repaired_bytes_are_valid_whatever_they_were(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[12];

		for (size_t j = 0; j < sizeof text; j++) {
			random = random * 1664525 + 1013904223;
			text[j] = (char)(random >> 24);
		}
		sb_utf8_repair(text, sizeof text);
		assert_true(sb_utf8_is_valid(text, sizeof text));
	}
}

static void shown_bytes_are_printable(void **state)
{
	sb_shown shown;

	(void)state;
	assert_string_equal(sb_show(&shown, "step.done", 9), "step.done");
	assert_string_equal(sb_show(&shown, "a\0b\n\xff", 5), "a?b??");
	assert_string_equal(sb_show(&shown, "", 0), "");
	assert_string_equal(sb_show(&shown, NULL, 0), "");
	assert_string_equal(sb_show(&shown, NULL, 7), "");
}

static void shown_bytes_are_cut_with_a_mark(void **state)
{
	char text[200];
	sb_shown shown;

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(strlen(sb_show(&shown, text, SB_SHOWN_LEN - 4)), SB_SHOWN_LEN - 4);
	assert_null(strstr(shown.text, "..."));
	assert_int_equal(strlen(sb_show(&shown, text, SB_SHOWN_LEN - 3)), SB_SHOWN_LEN - 1);
	assert_string_equal(shown.text + SB_SHOWN_LEN - 4, "...");
	assert_int_equal(strlen(sb_show(&shown, text, sizeof text)), SB_SHOWN_LEN - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_valid_as_the_table_says),
		cmocka_unit_test(no_text_at_all_is_valid),
		cmocka_unit_test(every_character_is_valid_and_no_surrogate_is),
		cmocka_unit_test(a_cut_does_not_end_inside_a_character),
		cmocka_unit_test(a_cut_of_every_length_leaves_valid_text),
		cmocka_unit_test(a_cut_of_hostile_bytes_stays_in_bounds),
		cmocka_unit_test(repairing_replaces_what_belongs_to_no_character),
		cmocka_unit_test(repaired_bytes_are_valid_whatever_they_were),
		cmocka_unit_test(shown_bytes_are_printable),
		cmocka_unit_test(shown_bytes_are_cut_with_a_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
