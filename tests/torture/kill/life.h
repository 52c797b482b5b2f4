/* SPDX-License-Identifier: MIT */
/*
 * One process after the other dies at the first, second, third, … system call of its life, just before
 * and just behind it, until one comes through: from opening a store that is not there, is of an older
 * format, or has been used, over a worker that is started, steps that are enqueued, claimed, run,
 * retried and completed, to the stop and the close. A second process must then open the same file,
 * finish what the first one had acknowledged, and close; and the checker must find nothing.
 */
#ifndef TESTS_TORTURE_KILL_LIFE_H
#define TESTS_TORTURE_KILL_LIFE_H

/* Every stride-th call. Gives how many lives were not as they must be. */
int life_run(const char *program, int stride, int *passed);

#endif
