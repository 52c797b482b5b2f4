/* SPDX-License-Identifier: MIT */
/* Queues and handlers: numbers for names. The functions are those of sb_store_type. */
#ifndef SB_STORE_SQLITE_NAMES_H
#define SB_STORE_SQLITE_NAMES_H

#include "store/sqlite_statement.h"

stepbus_status sb_sqlite_names_queue_intern(sb_store *store, sb_slice name, int64_t *id,
					    stepbus_error *err);
stepbus_status sb_sqlite_names_handler_intern(sb_store *store, const sb_handler_row *handler,
					      int64_t *id, stepbus_error *err);
stepbus_status sb_sqlite_names_queue_read(sb_store *store, int64_t id, sb_queue_row *out,
					  stepbus_error *err);
stepbus_status sb_sqlite_names_handler_read(sb_store *store, int64_t id, sb_handler_row *out,
					    stepbus_error *err);
stepbus_status sb_sqlite_names_handler_record(sb_store *store, const sb_handler_row *handler,
					      stepbus_error *err);
stepbus_status sb_sqlite_names_handler_is_recorded(sb_store *store, const sb_handler_row *handler,
						   bool *out, stepbus_error *err);
stepbus_status sb_sqlite_names_queue_write(sb_store *store, const sb_queue_row *row,
					   stepbus_error *err);
stepbus_status sb_sqlite_names_queue_list(sb_store *store, sb_queue_visit visit, void *context,
					  stepbus_error *err);
stepbus_status sb_sqlite_names_queue_find(sb_store *base, sb_slice name, int64_t *id,
					  stepbus_error *err);

/* Reads the columns of a handler from the given one on. */
void sb_sqlite_names_handler_get(const sb_query *query, int column, sb_handler_row *out);

#endif
