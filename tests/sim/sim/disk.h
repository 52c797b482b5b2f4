/* SPDX-License-Identifier: MIT */
/*
 * A disk for SQLite that lives in memory, for many processes that are one: files, their locks and the
 * shared index of the log, as SQLite's own file layer for Unix has them, without a call of the system.
 *
 * Each connection belongs to the process that was current when it was opened. A process can be cut off
 * at any operation: that write is done in part or not at all, and nothing it does from then on reaches
 * a file. Closing what it has open frees its locks, as the end of a process does. One thread.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum { DISK_PROCESS_MAX = 8 };

typedef enum disk_fault {
	DISK_BUSY,   /* a lock is held by somebody else, once */
	DISK_FULL,   /* a write finds no room, once */
	DISK_BROKEN, /* a write fails, once */
	DISK_CUT,    /* the process is gone */
	DISK_FAULT_COUNT
} disk_fault;

/* Becomes what SQLite opens files with. */
void disk_install(void);
/* Removes all files, and all plans. Nothing may be open. */
void disk_clear(void);
/* Whose connections are opened from now on, and whose faults are planned. */
void disk_enter(int process);
/* The nth operation of that process from now on that the fault fits. */
void disk_plan(int process, disk_fault fault, int nth);
void disk_heal(int process);
void disk_cut(int process);
bool disk_is_cut(int process);
/* Whether a plan came true since it was made. */
bool disk_has_failed(int process);
/* Reads and writes of files, of all processes. */
uint64_t disk_operation_count(void);
/* Writes that reached a file, since the files were cleared. */
uint64_t disk_write_count(void);
/* A copy of a file as it stands, for who wants to look at it. */
bool disk_write_out(const char *name, const char *to);

#endif
