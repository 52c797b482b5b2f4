/* SPDX-License-Identifier: MIT */
#include "base/words.h"

#include "support/cmocka.h"

typedef struct split_row {
	const char *text; /* NULL: no text at all */
	size_t count;
	const char *words[4];
} split_row;

static void text_is_split_as_the_table_says(void **state)
{
	static const split_row rows[] = {
		{ NULL, 0, { NULL } },
		{ "process", 1, { "process" } },
		{ "process,http", 2, { "process", "http" } },
		{ "process, http", 2, { "process", "http" } },
		{ "  process  ,  http  ", 2, { "process", "http" } },
		{ "a b, c d", 2, { "a b", "c d" } },
		{ "", 1, { "" } },
		{ "   ", 1, { "" } },
		{ ",", 2, { "", "" } },
		{ "a,", 2, { "a", "" } },
		{ ",a", 2, { "", "a" } },
		{ "a,,b", 3, { "a", "", "b" } },
		{ "a\t,b", 2, { "a\t", "b" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *text = rows[i].text;
		sb_slice words = text != NULL ? sb_slice_z(text) : sb_slice_of(NULL, 0);
		sb_slice word;
		size_t count = 0;

		for (; sb_words_next(&words, &word); count++)
			if (count >= rows[i].count ||
			    !sb_slice_is_equal(word, sb_slice_z(rows[i].words[count])))
				fail_msg("'%s': word %zu is wrong", text, count);
		assert_int_equal(count, rows[i].count);
	}
}

static void the_end_stays_the_end(void **state)
{
	sb_slice words = sb_slice_z("a");
	sb_slice word;

	(void)state;
	assert_true(sb_words_next(&words, &word));
	assert_false(sb_words_next(&words, &word));
	assert_false(sb_words_next(&words, &word));
}

typedef struct has_row {
	const char *words;
	const char *wanted;
	bool has;
} has_row;

static void a_word_is_found_as_the_table_says(void **state)
{
	static const has_row rows[] = {
		{ "process, http", "process", true },
		{ "process, http", "http", true },
		{ "process, http", "Process", false },
		{ "process, http", "proc", false },
		{ "process, http", " http", false },
		{ "process, http", "", false },
		{ "process,, http", "", true },
		{ "a b", "a", false },
		{ "a b", "a b", true },
		{ "processing", "process", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (sb_words_has(sb_slice_z(rows[i].words), sb_slice_z(rows[i].wanted)) !=
		    rows[i].has)
			fail_msg("'%s' in '%s' should be %d", rows[i].wanted, rows[i].words,
				 rows[i].has);
}

static void no_words_at_all_have_nothing(void **state)
{
	(void)state;
	assert_false(sb_words_has(sb_slice_of(NULL, 0), sb_slice_z("a")));
	assert_false(sb_words_has(sb_slice_of(NULL, 0), sb_slice_z("")));
}

static void bytes_behind_the_words_are_not_read(void **state)
{
	(void)state;
	assert_false(sb_words_has(sb_slice_of("a,bc", 3), sb_slice_z("bc")));
	assert_true(sb_words_has(sb_slice_of("a,bc", 3), sb_slice_z("b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_split_as_the_table_says),
		cmocka_unit_test(the_end_stays_the_end),
		cmocka_unit_test(a_word_is_found_as_the_table_says),
		cmocka_unit_test(no_words_at_all_have_nothing),
		cmocka_unit_test(bytes_behind_the_words_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
