/* SPDX-License-Identifier: MIT */
/* Another program that writes to a store by SQL of its own, as anybody may. */
#ifndef TESTS_SUPPORT_OTHER_PROGRAM_H
#define TESTS_SUPPORT_OTHER_PROGRAM_H

/* Fails the test where SQLite refuses it. */
void test_other_program(const char *path, const char *sql);

#endif
