/* SPDX-License-Identifier: MIT */
#include "handlers/overview.h"

#include "support/cmocka.h"

static void a_worker_is_active_while_its_lease_holds_on_this_boot(void **state)
{
	static const struct {
		int64_t stopped_at_us;
		uint8_t boot;
		int64_t lease_until_ns;
		bool is_active;
	} rows[] = {
		{ 0, 7, 1001, true },  { 0, 7, 1000, false }, { 0, 7, 0, false },
		{ 5, 7, 9999, false }, { 0, 8, 9999, false },
	};
	const uint8_t boot_id[SB_BOOT_ID_LEN] = { 7 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const sb_worker_row row = { .stopped_at_us = rows[i].stopped_at_us,
					    .boot_id = { rows[i].boot },
					    .lease_until_ns = rows[i].lease_until_ns };

		assert_int_equal(sb_overview_is_active(&row, boot_id, 1000), rows[i].is_active);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_is_active_while_its_lease_holds_on_this_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
