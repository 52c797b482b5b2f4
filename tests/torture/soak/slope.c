/* SPDX-License-Identifier: MIT */
#include "torture/soak/slope.h"

/* By Newton, since the library of mathematics is needed for nothing else. */
static double root(double square)
{
	double x = square > 1 ? square : 1;

	for (int i = 0; i < 200; i++)
		x = (x + square / x) / 2;
	return square > 0 ? x : 0;
}

slope slope_of(const slope_point *points, size_t count)
{
	double x = 0, y = 0, xx = 0, xy = 0, rest = 0;
	slope s = { 0, 0 };

	for (size_t i = 0; i < count; i++) {
		x += points[i].x / (double)count;
		y += points[i].y / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		xx += (points[i].x - x) * (points[i].x - x);
		xy += (points[i].x - x) * (points[i].y - y);
	}
	if (count < 3 || xx <= 0)
		return s;
	s.slope = xy / xx;
	for (size_t i = 0; i < count; i++) {
		double away = points[i].y - y - s.slope * (points[i].x - x);

		rest += away * away;
	}
	s.error = root(rest / (double)(count - 2) / xx);
	return s;
}
