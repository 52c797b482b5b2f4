/* SPDX-License-Identifier: MIT */
/*
 * The contestants that are not SQLite from C. Each starts its server when it is first measured, and
 * answers a negative number where its server or its packages are not installed.
 */
#ifndef BENCH_DURABLE_PEERS_H
#define BENCH_DURABLE_PEERS_H

#include "bench/durable/durable.h"

/** Block 1: one connection puts, reserves and deletes one step after the other. */
double peer_beanstalkd(const durable_plan *plan, size_t count);
double peer_gearman(const durable_plan *plan, size_t count);
/** Hand-written loop: FOR UPDATE SKIP LOCKED. */
double peer_postgres(const durable_plan *plan, size_t count);
/** Hand-written loop: LPUSH, LMOVE to a list of what is running, RPOP. */
double peer_redis(const durable_plan *plan, size_t count);
/** The script of the plan, in Node. */
double peer_node(const durable_plan *plan, size_t count);

/** Microseconds of overwriting 4 KiB in place and one fdatasync: the median of count. */
double peer_fdatasync(const durable_plan *plan, size_t count);

/** Stands in for a peer that was not there when the benchmark was built. */
double peer_absent(const durable_plan *plan, size_t count);

#endif
