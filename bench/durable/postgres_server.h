/* SPDX-License-Identifier: MIT */
/* The PostgreSQL server of the benchmark: a cluster of its own, in the run's folder. */
#ifndef BENCH_DURABLE_POSTGRES_SERVER_H
#define BENCH_DURABLE_POSTGRES_SERVER_H

/** The folder of its socket; started if it was not. NULL: PostgreSQL is not installed. */
const char *postgres_server_folder(void);

#endif
