/* SPDX-License-Identifier: MIT */
/* What the processes of a run do, each until it is killed, or told by SIGTERM to end in good order. */
#ifndef TESTS_TORTURE_ROLES_H
#define TESTS_TORTURE_ROLES_H

#include <stdint.h>

typedef struct role_options {
	const char *database_path;
	int32_t process;
} role_options;

/* Opens an engine and a worker, and serves. */
int role_worker(const role_options *options);
/* Enqueues batch after batch, some with idempotency keys that others use too. */
int role_enqueuer(const role_options *options);

#endif
