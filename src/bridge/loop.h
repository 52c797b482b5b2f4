/* SPDX-License-Identifier: MIT */
/*
 * A thread that sleeps until it is woken, a time has come, or a descriptor has news, and then runs
 * one function; the only file that sees libevent. The event base belongs to that thread alone (waking
 * goes through an eventfd), so libevent needs no locks and no process-wide setting. The thread lets in
 * no signals but those of its own faults.
 */
#ifndef SB_BRIDGE_LOOP_H
#define SB_BRIDGE_LOOP_H

#include <stdbool.h>

#include "include/stepbus.h"

typedef struct sb_loop sb_loop;

/* Starts the thread; returns when it runs. run(user_data) is called on it, not before a wake. */
stepbus_status sb_loop_new(const stepbus_host *host, void (*run)(void *user_data), void *user_data,
			   sb_loop **out, stepbus_error *err);
/* Wakes the thread; many wakes before it gets to run are one. Any thread. */
void sb_loop_wake(sb_loop *loop);
/*
 * A loop without a thread, for simulations: nothing runs but by sb_loop_turn, on the caller's thread.
 * Times are those of the host's elapsed clock.
 */
stepbus_status sb_loop_new_still(const stepbus_host *host, void (*run)(void *user_data),
				 void *user_data, sb_loop **out, stepbus_error *err);
bool sb_loop_is_still(const sb_loop *loop);
/* Runs once, where a thread would: it was woken, its time has come or its descriptor has news. */
bool sb_loop_turn(sb_loop *loop);
/* From inside run: run again after this time at the latest; replaces the time said before. */
void sb_loop_run_after(sb_loop *loop, int64_t delay_us);
/*
 * From inside run, once: run when fd can be read, too. Whoever runs empties it. The descriptor
 * belongs to the caller and must stay open until the loop is freed.
 */
stepbus_status sb_loop_watch(sb_loop *loop, int fd, stepbus_error *err);
bool sb_loop_is_here(const sb_loop *loop);
/* Ends the thread and frees the loop. Not from its own thread. */
void sb_loop_free(sb_loop *loop);
/*
 * From inside run: ends the thread when run returns; it frees the loop and calls last(user_data) as
 * the final thing it does.
 */
void sb_loop_free_here(sb_loop *loop, void (*last)(void *user_data));

const char *sb_loop_library_version(void);

#endif
