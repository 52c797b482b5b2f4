/* SPDX-License-Identifier: MIT */
/* What comes and goes beside the load: workers, subscriptions, handlers, engines, questions. */
#ifndef TESTS_TORTURE_SOAK_CHURN_H
#define TESTS_TORTURE_SOAK_CHURN_H

#include <pthread.h>
#include <stdbool.h>

#include "include/stepbus.h"

typedef struct churn {
	stepbus *engine;
	stepbus_worker *worker; /* the pool, which is ended and started again */
	const char *database;
	uint32_t random;
	uint32_t turn;
	pthread_mutex_t lock; /* guards what follows */
	uint8_t step_id[16];  /* one of those that were enqueued last */
	bool has_step;
} churn;

stepbus_status churn_begin(churn *c, stepbus *engine, const char *database, uint32_t seed,
			   stepbus_error *err);
/* A step that may be cancelled or looked at. Any thread. */
void churn_offer(churn *c, const uint8_t step_id[16]);
/* Does the next thing, and says what. */
stepbus_status churn_turn(churn *c, const char **what, stepbus_error *err);
void churn_end(churn *c);

#endif
