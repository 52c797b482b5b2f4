/* SPDX-License-Identifier: MIT */
/*
 * A worker's place in the store: its row, its lease, and which handlers it serves. While the row is
 * renewed in time, nobody touches what the worker has claimed.
 */
#ifndef SB_HANDLERS_ENLIST_H
#define SB_HANDLERS_ENLIST_H

#include "handlers/worker.h"

/* Makes the worker's row; it serves what is registered now. Returns when it is durable. */
stepbus_status sb_enlist(stepbus_worker *worker, stepbus_error *err);
/* Says that the worker has stopped. False: others will have to take over what it leaves. */
bool sb_enlist_end(stepbus_worker *worker);
/* Gives back steps that were claimed and not started; takes the list over. */
void sb_enlist_give_back(stepbus_worker *worker, sb_claimed *first);

/*
 * Inside: renews the rows of all workers of the engine, and their leases once that is durable, by
 * sb_enlist_renewed. A worker whose row is gone gets a new one, and has lost what it claimed.
 */
stepbus_status sb_enlist_renew(stepbus *engine, stepbus_error *err);
/* By the leader, behind the transaction. */
void sb_enlist_renewed(stepbus *engine, bool is_committed);

#endif
