/* SPDX-License-Identifier: MIT */
#include "torture/check/made.h"

#include "torture/check/stories.h"
#include "torture/check/tale.h"

static const struct {
	const char *name;
	void (*tell)(maker *m);
	int rareness; /* told once in that many rounds */
} stories[] = {
	{ "a step succeeds", story_plain, 1 },
	{ "a key is asked for twice", story_keyed, 1 },
	{ "a key is asked for again after an answer was lost", story_keyed_unsure, 1 },
	{ "an enqueue that was answered with an error is there", story_unsure_there, 1 },
	{ "an enqueue that was answered with an error is not there", story_unsure_gone, 1 },
	{ "an enqueue without an answer is there", story_open_there, 1 },
	{ "an enqueue without an answer is not there", story_open_gone, 1 },
	{ "two failures before a success", story_fail_twice, 1 },
	{ "a failure for good", story_fail_for_good, 1 },
	{ "all attempts are used", story_use_all_attempts, 1 },
	{ "more starts than attempts, since they were put off", story_put_off, 1 },
	{ "checkpoints, from which it goes on", story_go_on, 1 },
	{ "a checkpoint that was kept, though nobody heard", story_go_on_unheard, 1 },
	{ "a checkpoint that was not kept, as nobody was told", story_go_on_from_before, 1 },
	{ "a step ends three processes", story_crash_for_good, 1 },
	{ "a process ends between a handler's last line and the library",
	  story_crash_behind_its_end, 1 },
	{ "a process ends before the handler's first line", story_killed_before_its_line, 20 },
	{ "a process ends between a completion and its event", story_killed_before_it_heard, 1 },
	{ "a worker stalls in its handler", story_stalled, 1 },
	{ "a worker stalls before its handler", story_stalled_before_it_began, 1 },
	{ "a worker stalls, and another thread of it begins a step", story_stalled_with_threads,
	  1 },
	{ "a cancel of a step that waits", story_cancel_waiting, 1 },
	{ "a cancel of a step that runs", story_cancel_running, 1 },
	{ "a cancelled step begins, as its worker has not heard", story_cancel_in_line, 1 },
	{ "cancels without an answer", story_cancel_open, 1 },
	{ "a redrive begins with all attempts", story_redrive_failed, 1 },
	{ "redrives without an answer, and before it", story_redrive_unheard, 1 },
	{ "a redrive of a cancelled step", story_redrive_cancelled, 1 },
	{ "a step with a time", story_run_at, 1 },
	{ "a step as early as clocks may differ", story_run_at_the_edge, 1 },
	{ "a step that is too early where a clock jumped", story_run_at_a_jump, 1 },
	{ "a step with a time that is redriven before", story_run_at_and_redriven, 1 },
	{ "a dependency", story_depend, 1 },
	{ "a dependency whose success nobody heard", story_depend_unheard, 1 },
	{ "a dependency that fails", story_depend_in_vain, 1 },
	{ "a claim at the end of a lease", story_lease_over, 1 },
	{ "a claim before it, of what was given back", story_give_back, 1 },
	{ "a release that is noted late", story_give_back_noted_late, 1 },
	{ "an answer that is noted late, and was refused once", story_answer_noted_late, 1 },
	{ "a heartbeat that is noted late", story_beat_noted_late, 1 },
	{ "a heartbeat that does not know of a cancel yet", story_beat_behind_a_cancel, 1 },
	{ "an attempt that a time limit ended", story_time_out, 1 },
	{ "a step that waited too long", story_time_out_waiting, 1 },
	{ "the same completion twice", story_answer_twice, 1 },
	{ "a host that lets go of a step", story_abandon, 1 },
	{ "a look before the acknowledgement", story_look_before, 1 },
	{ "events, of which some are dropped", story_publish, 1 },
	{ "a step that 500 others overtake", story_wait_long, 100 },
};

size_t made_story_count(void)
{
	return sizeof stories / sizeof *stories;
}

const char *made_story_name(size_t story)
{
	return stories[story].name;
}

void maker_begin(maker *m, history *h)
{
	history_init(h);
	h->has_rows = true;
	h->limits.starvation_factor = 10;
	*m = (maker){ .history = h,
		      .time_us = 1000000,
		      .next_id = 1000,
		      .next_nonce = 5,
		      .next_process = 10,
		      .random = 1 };
	for (int i = 0; i < 4; i++)
		m->workers[i] = tale_new_process(m);
	m->enqueuer = tale_new_process(m);
	m->operator= tale_new_process(m);
}

void maker_tell(maker *m, size_t story)
{
	const size_t count = made_story_count();

	if (story / count % (size_t)stories[story % count].rareness == 0)
		stories[story % count].tell(m);
}

void maker_end(maker *m)
{
	static const char states[] = { STATE_COMPLETED,   STATE_FAILED, STATE_CANCELLED,
				       STATE_QUARANTINED, STATE_READY,  STATE_RUNNING };

	for (size_t i = 0; i < sizeof states; i++) {
		int64_t count = 0;

		for (size_t k = 0; k < m->history->step_count; k++)
			count += m->history->steps[k].state == states[i];
		EMIT(m, LOG_COUNTED, m->operator, states[i], count);
	}
	EMIT(m, LOG_DROPPED, m->operator, 7, 0);
	EMIT(m, LOG_DROPPED, m->operator, 8, m->dropped);
	for (int i = 0; i < 4; i++)
		EMIT(m, LOG_KILLED, m->workers[i], 0);
}
