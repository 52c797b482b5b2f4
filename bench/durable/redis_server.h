/* SPDX-License-Identifier: MIT */
/* The Redis servers of the benchmark: one for each level, with data in the run's folder. */
#ifndef BENCH_DURABLE_REDIS_SERVER_H
#define BENCH_DURABLE_REDIS_SERVER_H

#include "bench/durable/durable.h"

/** The socket of a server; started if it was not. NULL: Redis is not installed. */
const char *redis_server_socket(durable_level level);

#endif
