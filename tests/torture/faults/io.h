/* SPDX-License-Identifier: MIT */
/*
 * T4: what SQLite asks of the disk fails, at a place and in a way that a seed draws, once or from
 * then on, in lives of an engine that share a store.
 */
#ifndef TESTS_TORTURE_IO_H
#define TESTS_TORTURE_IO_H

#include <stdint.h>

/* count: of faults that were met. */
void io_torture(uint32_t count, uint64_t seed);
/* One chain again, of which a violation told the seed. */
void io_replay(uint64_t seed);
/* A disk that lies must be found out. */
void io_control(void);

#endif
