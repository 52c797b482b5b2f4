/* SPDX-License-Identifier: MIT */
/* Running a part of a test in a forked child, which must not assert: it answers with a number. */
#ifndef TESTS_SUPPORT_CHILD_H
#define TESTS_SUPPORT_CHILD_H

/*
 * Forks, runs the function in the child, and gives what it returned (0 to 255), or -1 where the
 * child died of something else. The child leaves by _exit.
 */
int test_in_child(int (*run)(void *context), void *context);

#endif
