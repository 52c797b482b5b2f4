/* SPDX-License-Identifier: MIT */
/* The breaker: what opens it, what it lets through, and what closes it. */
#include "handlers/breaker.h"
#include "support/cmocka.h"

enum { OPEN_NS = 100 };

typedef struct move {
	int64_t at_ns;
	int event;           /* an sb_breaker_event; -1: a call asks */
	bool is_let_through; /* of one that asks */
	sb_breaker_state state;
} move;

enum { ASK = -1 };

static void play(uint32_t failure_count_max, const move *moves, size_t count)
{
	sb_breaker b = { .failure_count_max = failure_count_max, .open_ns = OPEN_NS };

	for (size_t i = 0; i < count; i++) {
		const move *m = &moves[i];

		if (m->event != ASK)
			sb_breaker_note(&b, (sb_breaker_event)m->event, m->at_ns);
		else if (sb_breaker_let_through(&b, m->at_ns) != m->is_let_through)
			fail_msg("move %zu: a call should%s be let through", i,
				 m->is_let_through ? "" : " not");
		if (b.state != m->state)
			fail_msg("move %zu: state %d", i, b.state);
	}
}

#define PLAY(max, moves) play(max, moves, sizeof(moves) / sizeof *(moves))

static void failures_in_a_row_open_it(void **state)
{
	static const move moves[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 1, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 2, ASK, true, SB_BREAKER_CLOSED },
		{ 3, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 3, ASK, false, SB_BREAKER_OPEN },
		{ 102, ASK, false, SB_BREAKER_OPEN },
	};

	(void)state;
	PLAY(3, moves);
}

static void a_success_in_between_begins_the_count_anew(void **state)
{
	static const move moves[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 1, SB_BREAKER_KEPT, false, SB_BREAKER_CLOSED },
		{ 2, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 3, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
	};

	(void)state;
	PLAY(2, moves);
}

static void one_call_is_let_through_and_decides(void **state)
{
	static const move closes[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 99, ASK, false, SB_BREAKER_OPEN },
		{ 100, ASK, true, SB_BREAKER_TRYING },
		{ 100, ASK, false, SB_BREAKER_TRYING },
		{ 500, ASK, false, SB_BREAKER_TRYING },
		{ 501, SB_BREAKER_KEPT, false, SB_BREAKER_CLOSED },
		{ 501, ASK, true, SB_BREAKER_CLOSED },
	};
	static const move opens[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 100, ASK, true, SB_BREAKER_TRYING },
		{ 150, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 249, ASK, false, SB_BREAKER_OPEN },
		{ 250, ASK, true, SB_BREAKER_TRYING },
	};

	(void)state;
	PLAY(1, closes);
	PLAY(1, opens);
}

static void who_never_came_to_the_store_leaves_the_try_to_the_next(void **state)
{
	static const move moves[] = {
		{ 0, SB_BREAKER_UNDECIDED, false, SB_BREAKER_CLOSED },
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 50, SB_BREAKER_UNDECIDED, false, SB_BREAKER_OPEN },
		{ 60, ASK, false, SB_BREAKER_OPEN },
		{ 100, ASK, true, SB_BREAKER_TRYING },
		{ 101, SB_BREAKER_UNDECIDED, false, SB_BREAKER_OPEN },
		{ 101, ASK, true, SB_BREAKER_TRYING },
	};

	(void)state;
	PLAY(1, moves);
}

static void late_failures_do_not_keep_it_open(void **state)
{
	static const move moves[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 90, SB_BREAKER_FAILED, false, SB_BREAKER_OPEN },
		{ 100, ASK, true, SB_BREAKER_TRYING },
	};

	(void)state;
	PLAY(1, moves);
}

static void none_at_all_is_allowed(void **state)
{
	static const move moves[] = {
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 0, SB_BREAKER_FAILED, false, SB_BREAKER_CLOSED },
		{ 0, ASK, true, SB_BREAKER_CLOSED },
	};

	(void)state;
	PLAY(0, moves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_in_a_row_open_it),
		cmocka_unit_test(a_success_in_between_begins_the_count_anew),
		cmocka_unit_test(one_call_is_let_through_and_decides),
		cmocka_unit_test(who_never_came_to_the_store_leaves_the_try_to_the_next),
		cmocka_unit_test(late_failures_do_not_keep_it_open),
		cmocka_unit_test(none_at_all_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
