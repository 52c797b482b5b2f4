/* SPDX-License-Identifier: MIT */
/*
 * A step that a host has: from the poll, until the host has answered, or the worker is freed and the
 * host's answer is not waited for any more. Meanwhile the memory of the step is the host's to read,
 * also where time, or somebody else, has ended the attempt.
 */
#ifndef SB_HANDLERS_POLLED_H
#define SB_HANDLERS_POLLED_H

#include "handlers/worker.h"

/* The host has answered, or lost it, and the memory is ours again. */
void sb_polled_part(stepbus *engine, sb_claimed *claimed, bool is_success);
/* An answer could not be kept: the step is the host's as before, and what would have happened to it
 * meanwhile happens now. */
void sb_polled_return(sb_claimed *claimed);

/* STEPBUS_OK: go on; else why not, or STEPBUS_ENOTFOUND. Puts off the silence timeout. Any thread. */
stepbus_status sb_polled_notice(stepbus *engine, const sb_claimed_key *key, stepbus_error *err);
/* Whether a result would be refused; true of what is not here. Any thread. */
bool sb_polled_is_in_vain(stepbus *engine, const sb_claimed_key *key);

/* Ends the attempts of all that is polled and not answered; answers that come later are too late. */
void sb_polled_abandon(stepbus_worker *worker);

#endif
