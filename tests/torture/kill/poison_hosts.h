/* SPDX-License-Identifier: MIT */
/* What hosts do that polled a poisoned step; and what those share with the handlers. */
#ifndef TESTS_TORTURE_KILL_POISON_HOSTS_H
#define TESTS_TORTURE_KILL_POISON_HOSTS_H

#include "torture/kill/poison.h"

enum { POISON_MESSAGE_LEN = 1 << 20, POISON_LONG_US = 10 * POISON_LEASE_MS * 1000 };

/* POISON_MESSAGE_LEN bytes that are no text; the caller frees them. NULL: out of memory. */
char *poison_make_garbage(void);
/* Ends the process. */
void poison_fault(void);

void poison_never_answer(poison_host *host, const stepbus_step_event *step);
void poison_answer_twice(poison_host *host, const stepbus_step_event *step);
void poison_answer_elsewhere(poison_host *host, const stepbus_step_event *step);
void poison_answer_at_once(poison_host *host, const stepbus_step_event *step);
void poison_answer_differently(poison_host *host, const stepbus_step_event *step);
void poison_answer_late(poison_host *host, const stepbus_step_event *step);
void poison_answer_with_garbage(poison_host *host, const stepbus_step_event *step);
void poison_answer_too_much(poison_host *host, const stepbus_step_event *step);
void poison_answer_for_another(poison_host *host, const stepbus_step_event *step);
void poison_answer_when_told(poison_host *host, const stepbus_step_event *step);
void poison_crash_with_all(poison_host *host, const stepbus_step_event *step);
void poison_stop_while_polled(poison_host *host, const stepbus_step_event *step);

#endif
