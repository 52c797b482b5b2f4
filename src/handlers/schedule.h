/* SPDX-License-Identifier: MIT */
/*
 * Cron entries in the store: enqueueing what is due, once for each time, whoever gets to it first.
 *
 * What makes that so: the entry's next time is read, its steps are enqueued, and the next time is
 * moved on, all in one transaction; and each step has the entry's name and its time as its idempotency
 * key, so that no time comes twice even where a clock or a database was put back.
 *
 * An entry keeps its step as the JSON that the host gave. Only src/ffi knows how to read that, since
 * this folder knows no configurations: an engine is opened with the functions that do.
 */
#ifndef SB_HANDLERS_SCHEDULE_H
#define SB_HANDLERS_SCHEDULE_H

#include "handlers/engine.h"

/* A firing that is late by no more was not missed. */
#define SB_SCHEDULE_GRACE_US (INT64_C(60) * 1000000)

/* Inside. Enqueues what is due, and notes when to look again. */
stepbus_status sb_schedule_fire(stepbus *engine, sb_store *store, stepbus_error *err);

#endif
