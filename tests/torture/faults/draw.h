/* SPDX-License-Identifier: MIT */
/* Numbers drawn from a seed: the same seed, the same faults. Pure. */
#ifndef TESTS_TORTURE_DRAW_H
#define TESTS_TORTURE_DRAW_H

#include <stdint.h>

typedef struct draw {
	uint64_t state;
} draw;

static inline uint64_t draw_number(draw *d)
{
	uint64_t z = (d->state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* 0 to count - 1. */
static inline uint32_t draw_below(draw *d, uint32_t count)
{
	return (uint32_t)(draw_number(d) % count);
}

#endif
