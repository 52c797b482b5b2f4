/* SPDX-License-Identifier: MIT */
/*
 * The log of a run: a line for each event, written with one write(2) to a file that is open for
 * appending, so that what was written is there whoever is killed, and in one order for all.
 */
#ifndef TESTS_TORTURE_OBSERVER_H
#define TESTS_TORTURE_OBSERVER_H

#include "torture/history/history.h"

/* Of each line, with its end. */
enum { OBSERVER_LINE_LEN = 128 };

/* process: its number in the run. */
void observer_open(const char *path, int32_t process);
void observer_note(char kind, int64_t a, int64_t b, int64_t c, int64_t d);
/* Of another process; it is stopped, or goes on. */
void observer_note_stall(int32_t process, int64_t is_on, int64_t is_at_point);
/* Of another process; what: the first number of the line. */
void observer_note_of(int32_t process, char kind, int64_t what);
/* A call that must not fail did: notes it, and tells what on stderr. */
void observer_fail(const char *what, int status, const char *message);

/* Microseconds that never go back, the same for all processes. */
int64_t observer_now_us(void);
/* The number in the first twelve digits of an id in text form, which differ from step to step. */
int64_t observer_id_of(const char *text);
int64_t observer_id_of_bytes(const uint8_t id[16]);
/* Of an input or a result, as the lines have it: not negative, and not 0. */
int64_t observer_digest(const void *data, size_t len);

#endif
