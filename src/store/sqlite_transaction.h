/* SPDX-License-Identifier: MIT */
/*
 * Transactions of the SQLite store: who is inside one, how they end, and what a failed end means.
 * The functions are those of sb_store_type.
 */
#ifndef SB_STORE_SQLITE_TRANSACTION_H
#define SB_STORE_SQLITE_TRANSACTION_H

#include "store/sqlite_store.h"

stepbus_status sb_sqlite_transaction_begin(sb_store *base, stepbus_error *err);
stepbus_status sb_sqlite_transaction_commit(sb_store *base, stepbus_error *err);
void sb_sqlite_transaction_rollback(sb_store *base);
bool sb_sqlite_transaction_has_changed(sb_store *base);
stepbus_status sb_sqlite_transaction_confirm(sb_store *base, stepbus_error *err);
/* Of a borrowed connection: takes the right to write now, in the transaction that is open. */
stepbus_status sb_sqlite_transaction_lock(sb_sqlite_store *store, stepbus_error *err);
void sb_sqlite_transaction_stats(sb_store *base, sb_store_stats *out);

#endif
