/* SPDX-License-Identifier: MIT */
/*
 * What the processes of a run do, each until it is killed, or told by SIGTERM to end in good order. A
 * role is the main function of a process of its own; it opens its engine with a configuration that is
 * drawn from its number, so that engines that share the file differ in all that may differ.
 */
#ifndef TESTS_TORTURE_KILL_ROLES_H
#define TESTS_TORTURE_KILL_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "include/stepbus.h"

enum { ROLE_CONFIG_LEN = 1024 };

typedef struct role_options {
	const char *database_path;
	const char *log_path;
	const char *page_path; /* kill/points.h */
	int place;             /* in it */
	int32_t process;
} role_options;

typedef struct role_entry {
	const char *name;
	int (*play)(const role_options *options);
} role_entry;

/* NULL: there is none of that name. */
const role_entry *role_find(const char *name);

int role_worker(const role_options *options);   /* a pool of threads that run handlers */
int role_puller(const role_options *options);   /* polls, and answers in batches */
int role_enqueuer(const role_options *options); /* enqueues, some with keys that others use too */
int role_operator(const role_options *options); /* cancels, redrives, pauses and looks */
int role_resumer(const role_options *options);  /* resumes what an operator paused, and ends */
int role_saboteur(const role_options *options); /* the negative control */
int role_life(const role_options *options);     /* all of these, for a few steps; see life.h */
int role_client(const role_options *options);   /* looks for steps that others were acknowledged */
int role_counter(const role_options *options);  /* says how many steps the library has, and ends */

/* The queue and handler of pull workers, and those of pools, which are "default" and "work". */
#define ROLE_PULLED "pulled"
#define ROLE_WORK "work"

/* The configuration of the engine, which is drawn; gives its length. */
int role_configure(const role_options *options, char *config, size_t len);
/* NULL: it said why. */
stepbus *role_open(const role_options *options);
stepbus_status role_subscribe(stepbus *engine, const char *name, stepbus_event_fn deliver,
			      stepbus_error *err);
/* Notes what is told of steps and workers. */
stepbus_status role_listen(stepbus *engine, stepbus_error *err);
/* Registers a handler, listens, and starts a worker with a pool. */
stepbus_status role_serve(stepbus *engine, const role_options *options, stepbus_error *err);
/* Waits for SIGTERM; engines do not touch the signals of the caller. */
void role_wait(void);
bool role_is_ended(void);
void role_pause_us(long time_us);
/* Stops, where is_asked, and closes. */
void role_close(stepbus *engine, bool is_asked);
uint32_t role_draw(uint32_t *random, uint32_t count);

#endif
