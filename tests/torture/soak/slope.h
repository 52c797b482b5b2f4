/* SPDX-License-Identifier: MIT */
/* A straight line through points, by least squares, and how sure its slope is. Pure. */
#ifndef TESTS_TORTURE_SOAK_SLOPE_H
#define TESTS_TORTURE_SOAK_SLOPE_H

#include <stddef.h>

typedef struct slope_point {
	double x, y;
} slope_point;

typedef struct slope {
	double slope;
	double error; /* the standard error of the slope */
} slope;

slope slope_of(const slope_point *points, size_t count);

#endif
