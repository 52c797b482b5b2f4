/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include "include/stepbus.h"
#include "support/cmocka.h"

typedef struct row {
	int32_t code;
	const char *name;
} row;

#define ROW(code)             \
	{                     \
		(code), #code \
	}

static void every_code_has_its_name(void **state)
{
	static const row rows[] = {
		ROW(STEPBUS_OK),        ROW(STEPBUS_EINVAL),     ROW(STEPBUS_ENOMEM),
		ROW(STEPBUS_ENOTFOUND), ROW(STEPBUS_EEXISTS),    ROW(STEPBUS_EINACTIVE),
		ROW(STEPBUS_EFULL),     ROW(STEPBUS_EDELIVERY),  ROW(STEPBUS_EREENTRANT),
		ROW(STEPBUS_ESEALED),   ROW(STEPBUS_ELIMIT),     ROW(STEPBUS_EFORKED),
		ROW(STEPBUS_ESHUTDOWN), ROW(STEPBUS_ETIMEDOUT),  ROW(STEPBUS_EBUSY),
		ROW(STEPBUS_EALREADY),  ROW(STEPBUS_ESTALE),     ROW(STEPBUS_EHANDLER),
		ROW(STEPBUS_ESYSTEM),   ROW(STEPBUS_ESTORE),     ROW(STEPBUS_ENOSPACE),
		ROW(STEPBUS_EREADONLY), ROW(STEPBUS_ECORRUPT),   ROW(STEPBUS_EVERSION),
		ROW(STEPBUS_ENETWORK),  ROW(STEPBUS_ECANCELLED),
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* The values are for ever: they are counted, not looked up. */
		assert_int_equal(rows[i].code, i);
		assert_string_equal(sb_status_name(rows[i].code), rows[i].name);
	}
}

static void other_codes_are_unknown(void **state)
{
	static const int32_t codes[] = { -1, 26, 27, 1000, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		assert_string_equal(sb_status_name(codes[i]), "STEPBUS_EUNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_name),
		cmocka_unit_test(other_codes_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
