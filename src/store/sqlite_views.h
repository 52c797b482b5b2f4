/* SPDX-License-Identifier: MIT */
/*
 * The views of a store's file, for people and programs that read it, or enqueue, with any SQLite
 * client: docs/STORE.md describes them. SQL text for sqlite_schema.c; they use nothing but built-in
 * functions that a client which trusts no schema runs too. Pure.
 */
#ifndef SB_STORE_SQLITE_VIEWS_H
#define SB_STORE_SQLITE_VIEWS_H

/* v_steps, v_attempts */
extern const char sb_sqlite_views_steps[];
/* v_queues, v_workers, v_recent_failures */
extern const char sb_sqlite_views_others[];
/* enqueue and its trigger, in parts, since C allows no longer literals */
extern const char sb_sqlite_views_enqueue[];
extern const char sb_sqlite_views_enqueue_check[];
extern const char sb_sqlite_views_enqueue_insert[];
extern const char sb_sqlite_views_enqueue_end[];

#endif
