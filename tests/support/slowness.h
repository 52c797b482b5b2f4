/* SPDX-License-Identifier: MIT */
/*
 * How much more real time than on a quiet machine what is waited for may take: 10 under a sanitizer, times
 * STEPBUS_TEST_SLOWNESS (1 to 1000) from the environment, for machines that have much else to do. Only
 * for limits behind which something counts as hanging: what is judged is judged by other measures.
 */
#ifndef TESTS_SUPPORT_SLOWNESS_H
#define TESTS_SUPPORT_SLOWNESS_H

int test_slowness(void);

#endif
