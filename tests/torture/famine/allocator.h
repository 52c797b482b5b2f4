/* SPDX-License-Identifier: MIT */
/*
 * Memory of the whole process, which can be told to run out: malloc and its like, mmap and the stacks
 * of threads, whoever asks (the library, SQLite, libevent, cJSON, libc). The program defines these
 * functions itself, which goes before those of libc for every shared object in it, as a preloaded object
 * would; under a sanitizer they hand on to the sanitizer's.
 *
 * Nothing fails, and nothing is counted, unless it was armed. While it tracks, it knows every block that
 * was taken and not given back.
 */
#ifndef TORTURE_FAMINE_ALLOCATOR_H
#define TORTURE_FAMINE_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct famine_order {
	uint64_t n;     /* which allocation fails, counted from 1; 0: none, they are only counted */
	bool is_sticky; /* and all behind it */
	bool is_own;    /* only those of the thread that arms count and fail */
} famine_order;

/*
 * Only what these callers ask for counts, fails and is tracked; NULL: everybody. caller is an address in
 * the code that called. It runs in every allocation, so it may not allocate.
 */
typedef bool famine_watch_fn(const void *caller);
void famine_watch(famine_watch_fn *asked);

void famine_arm(const famine_order *order);
/* Safe to call twice. */
void famine_disarm(void);
bool famine_is_armed(void);
/* Since it was armed: how many were asked for, and how many of them failed. */
uint64_t famine_asked_count(void);
uint64_t famine_failed_count(void);

/* Writes the stack of the first failure, and of what took each block that leaks, to standard error. */
void famine_trace(bool is_traced);

/* From now on blocks are tracked; what was taken before is not. */
void famine_track(void);
/* Stops that: how many blocks are left, and how many bytes. */
size_t famine_untrack(size_t *len);
/* Between the two: what is taken by this thread meanwhile is a cache of libc's, and no leak. */
void famine_exempt(bool is_exempt);

#endif
