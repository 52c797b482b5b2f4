/* SPDX-License-Identifier: MIT */
#ifndef TESTS_TORTURE_STORIES_H
#define TESTS_TORTURE_STORIES_H

#include "torture/check/made.h"

void story_plain(maker *m);
void story_keyed(maker *m);
void story_keyed_unsure(maker *m);
void story_unsure_there(maker *m);
void story_unsure_gone(maker *m);
void story_open_there(maker *m);
void story_open_gone(maker *m);
void story_fail_twice(maker *m);
void story_fail_for_good(maker *m);
void story_use_all_attempts(maker *m);
void story_put_off(maker *m);
void story_go_on(maker *m);
void story_go_on_unheard(maker *m);
void story_go_on_from_before(maker *m);
void story_crash_for_good(maker *m);
void story_crash_behind_its_end(maker *m);
void story_killed_before_its_line(maker *m);
void story_killed_before_it_heard(maker *m);
void story_stalled(maker *m);
void story_stalled_before_it_began(maker *m);
void story_stalled_with_threads(maker *m);
void story_cancel_waiting(maker *m);
void story_cancel_running(maker *m);
void story_cancel_in_line(maker *m);
void story_cancel_open(maker *m);
void story_redrive_failed(maker *m);
void story_redrive_unheard(maker *m);
void story_redrive_cancelled(maker *m);
void story_run_at(maker *m);
void story_run_at_the_edge(maker *m);
void story_run_at_a_jump(maker *m);
void story_run_at_and_redriven(maker *m);
void story_depend(maker *m);
void story_depend_unheard(maker *m);
void story_depend_in_vain(maker *m);
void story_lease_over(maker *m);
void story_give_back(maker *m);
void story_give_back_noted_late(maker *m);
void story_answer_noted_late(maker *m);
void story_beat_noted_late(maker *m);
void story_beat_behind_a_cancel(maker *m);
void story_time_out(maker *m);
void story_time_out_waiting(maker *m);
void story_answer_twice(maker *m);
void story_abandon(maker *m);
void story_look_before(maker *m);
void story_publish(maker *m);
void story_wait_long(maker *m);

#endif
