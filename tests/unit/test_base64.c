/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "support/cmocka.h"

static void bytes_become_the_text_of_rfc_4648(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+" },
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].bytes);

		assert_int_equal(sb_base64_len(len), strlen(rows[i].text));
		memset(text, '#', sizeof text);
		sb_base64_write(rows[i].bytes, len, text);
		assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
		assert_int_equal(text[strlen(rows[i].text)], '#');
	}
}

static void what_would_not_fit_into_memory_has_no_length(void **state)
{
	(void)state;
	assert_int_equal(sb_base64_len(SIZE_MAX), 0);
	assert_int_equal(sb_base64_len(SIZE_MAX / 4 * 3 + 3), 0);
	assert_int_equal(sb_base64_len(SIZE_MAX / 4 * 3 - 3), SIZE_MAX / 4 * 4 - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_the_text_of_rfc_4648),
		cmocka_unit_test(what_would_not_fit_into_memory_has_no_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
