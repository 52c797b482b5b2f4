/* SPDX-License-Identifier: MIT */
#include "handlers/breaker.h"

bool sb_breaker_let_through(sb_breaker *breaker, int64_t now_ns)
{
	switch (breaker->state) {
	case SB_BREAKER_OPEN:
		if (now_ns < breaker->open_until_ns)
			return false;
		breaker->state = SB_BREAKER_TRYING;
		return true;
	case SB_BREAKER_TRYING:
		return false;
	case SB_BREAKER_CLOSED:
	default:
		return true;
	}
}

static void open_until(sb_breaker *breaker, int64_t time_ns)
{
	breaker->state = SB_BREAKER_OPEN;
	breaker->open_until_ns = time_ns;
}

void sb_breaker_note(sb_breaker *breaker, sb_breaker_event event, int64_t now_ns)
{
	switch (event) {
	case SB_BREAKER_KEPT:
		/* Also one that was let through before it opened: the store is well again. */
		breaker->state = SB_BREAKER_CLOSED;
		breaker->failure_count = 0;
		break;
	case SB_BREAKER_FAILED:
		if (breaker->failure_count_max == 0)
			break;
		if (breaker->failure_count < breaker->failure_count_max)
			breaker->failure_count++;
		/* One that comes in late does not prolong it. */
		if (breaker->failure_count == breaker->failure_count_max &&
		    breaker->state != SB_BREAKER_OPEN)
			open_until(breaker, now_ns + breaker->open_ns);
		break;
	case SB_BREAKER_UNDECIDED:
	default:
		/* The next one tries. */
		if (breaker->state == SB_BREAKER_TRYING)
			open_until(breaker, now_ns);
		break;
	}
}
