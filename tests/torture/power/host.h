/* SPDX-License-Identifier: MIT */
/*
 * The host of a workload: its engines, what it holds, and how it notes what it is told. The main
 * thread acts; acknowledgements also come on threads of the engines.
 */
#ifndef TESTS_TORTURE_POWER_HOST_H
#define TESTS_TORTURE_POWER_HOST_H

#include "handlers/engine.h"
#include "torture/power/workload.h"

enum { ENGINE_MAX = 2, KNOWN_MAX = 512, HELD_MAX = 32, BYTES_MAX = 9000 };

/* A step that was polled and is not answered yet. */
typedef struct held_step {
	uint8_t id[16];
	uint64_t token;
	int engine;
} held_step;

typedef struct host host;

/* One engine of it; user_data of what listens to it. */
typedef struct host_engine {
	host *host;
	stepbus *engine;
	stepbus_worker *puller;
	int level;
} host_engine;

struct host {
	const workload_options *options;
	workload_result *result;
	record *record;
	stepbus_clock *clock;
	stepbus_host lent;
	stepbus_error err;
	host_engine engines[ENGINE_MAX];
	int engine_count;
	uint64_t random;
	uint8_t known[KNOWN_MAX][16];
	size_t known_count;
	held_step held[HELD_MAX];
	size_t held_count;
	uint8_t bytes[BYTES_MAX]; /* random, to take inputs and results from */
	bool was_failed;          /* a sync had failed before this action began */
	int failed_actions;       /* begun since then */
	int anew_actions;         /* since the file was opened anew */
	size_t acks_before;       /* heard when the file was opened anew */
};

bool host_begin(host *h);
void host_end(host *h);
/* Closes the engines and opens them again. */
bool host_reopen(host *h);
/* The same behind a failed sync; from then on nothing fails any more. */
bool host_open_anew(host *h);
uint64_t host_draw(host *h, uint64_t count);
int64_t host_number(const uint8_t id[16]);
/* What a call answered; false where it is no success. Errors that must not be end the workload. */
bool host_answered(host *h, const char *what, stepbus_status status);
void host_act(host *h);

#endif
