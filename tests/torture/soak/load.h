/* SPDX-License-Identifier: MIT */
/*
 * Everything at once, for as long as one likes: steps are enqueued in batches, some of them delayed
 * or with keys, run by a pool and by a host that polls (with failures, retries, snoozes, checkpoints and
 * releases among them), cancelled, looked at; workers, subscriptions, handlers and engines come and
 * go. What is waiting is bounded, so that nothing grows by itself.
 */
#ifndef TESTS_TORTURE_SOAK_LOAD_H
#define TESTS_TORTURE_SOAK_LOAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOAD_LEAK_EACH = 1000,
	LOAD_LEAK_LEN = 64
}; /* of a load that is leaking: bytes each so many runs */

typedef struct load load;

/* NULL, with a message on stderr, where it cannot begin. */
load *load_begin(uint32_t seed, bool is_leaking);
/* Returns after that time. */
void load_run(load *l, double seconds);
/*
 * Lets all that waits come to its end, and begins nothing until load_go_on: what is used then is used for
 * good. False: something does not end.
 */
bool load_rest(load *l);
void load_go_on(load *l);
/* Ends all, removes the files, and says how many calls failed that must not. */
uint64_t load_end(load *l);

uint64_t load_step_count(const load *l);
const char *load_directory(const load *l);
const char *load_database(const load *l);

#endif
