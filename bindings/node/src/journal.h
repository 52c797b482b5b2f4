/* SPDX-License-Identifier: MIT */
/*
 * The journal: takes the log records of an engine, which come on any of its threads, to a JavaScript
 * function on the environment's thread. Records that come faster than that are dropped.
 */
#ifndef SBN_JOURNAL_H
#define SBN_JOURNAL_H

#include "bindings/node/src/api.h"

typedef struct sbn_journal sbn_journal;

/* NULL, with an exception thrown. */
sbn_journal *sbn_journal_new(napi_env env, napi_value log);

/* On any thread. */
void sbn_journal_write(sbn_journal *journal, const char *text, size_t len);

/* When the engine is closed, so that nobody logs any more. NULL is accepted. */
void sbn_journal_free(sbn_journal *journal);

#endif
