/* SPDX-License-Identifier: MIT */
/*
 * T3: system calls of a process that has an engine fail, as strace makes them fail: the nth one of a
 * kind in each of its threads, once, from then on, or each kth. The process notes in shared memory
 * what it was told; another one judges what is in the file.
 */
#ifndef TESTS_TORTURE_SYSCALLS_H
#define TESTS_TORTURE_SYSCALLS_H

#include <stdint.h>

/* count: of errors that strace says it injected. */
void syscalls_torture(uint32_t count, uint64_t seed);
/* Writes that are said to be done and are not must be found out. */
void syscalls_control(void);

#endif
