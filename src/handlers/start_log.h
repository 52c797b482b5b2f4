/* SPDX-License-Identifier: MIT */
/*
 * Which claimed steps a worker has really begun to run, in a small file beside the database that is
 * mapped into memory: writing to it costs nothing, and it survives the end of the process. Whoever
 * finds the worker dead reads it: a step that was only waiting in the dead worker's line is given
 * back uncharged, and only one whose handler was running is blamed for the end of the process.
 *
 * After a power cut the file may be of no use; then every claimed step counts as started and ended.
 */
#ifndef SB_HANDLERS_START_LOG_H
#define SB_HANDLERS_START_LOG_H

#include "base/error.h"

typedef struct sb_start_log sb_start_log;

typedef enum sb_start_mark {
	SB_START_NONE,
	SB_START_RUNNING, /* the handler was called */
	SB_START_ENDED,   /* and has returned */
} sb_start_mark;

/* Names the log of one row of a worker; others of its process may use the same database. */
typedef struct sb_start_name {
	const char *database_path;
	int64_t pid;
	int64_t worker_id;
} sb_start_name;

/* Makes the file "<database>-started-<pid>-<worker id>" with room for count steps. */
stepbus_status sb_start_log_create(const stepbus_host *host, const sb_start_name *name,
				   uint32_t count, sb_start_log **out, stepbus_error *err);
/* A free place for a claimed step; UINT32_MAX where all are taken. One thread at a time. */
uint32_t sb_start_log_take(sb_start_log *log, int64_t step_id, int64_t token);
/* Any thread. */
void sb_start_log_mark(sb_start_log *log, uint32_t slot, sb_start_mark mark);
void sb_start_log_give(sb_start_log *log, uint32_t slot);
/*
 * Goes on in a new, empty file: the old one is removed by whoever took over what it tells of. What is
 * still marked of before is lost, and of no use. Not while a place is being taken.
 */
stepbus_status sb_start_log_renew(sb_start_log *log, const sb_start_name *name, stepbus_error *err);
/* Unmaps it, and removes the file. NULL is accepted. */
void sb_start_log_remove(sb_start_log *log);
/* Likewise, but leaves the file for others to read. */
void sb_start_log_leave(sb_start_log *log);

/* What another process left behind: read once, asked often. */
typedef struct sb_start_record sb_start_record;

/* NULL in *out where there is no file, or one that is no such log. */
stepbus_status sb_start_record_read(const stepbus_host *host, const sb_start_name *name,
				    sb_start_record **out, stepbus_error *err);
sb_start_mark sb_start_record_find(const sb_start_record *record, int64_t step_id, int64_t token);
/* Frees it; removes the file of that worker. NULL is accepted. */
void sb_start_record_end(const stepbus_host *host, const sb_start_name *name,
			 sb_start_record *record);
void sb_start_record_free(const stepbus_host *host, sb_start_record *record);

#endif
