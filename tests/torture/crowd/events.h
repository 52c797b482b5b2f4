/* SPDX-License-Identifier: MIT */
/* Publishers on threads of their own, and subscribers who hear at once, wait, or drop. */
#ifndef TESTS_TORTURE_CROWD_EVENTS_H
#define TESTS_TORTURE_CROWD_EVENTS_H

#include <stdbool.h>

bool crowd_run_events(long count);

#endif
