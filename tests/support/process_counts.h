/* SPDX-License-Identifier: MIT */
/*
 * What this process uses at the moment, as the system says: so that a test can tell that it is no more
 * than before. A thread that was joined may be counted for a moment more. May be called by any thread.
 */
#ifndef TESTS_SUPPORT_PROCESS_COUNTS_H
#define TESTS_SUPPORT_PROCESS_COUNTS_H

#include <stddef.h>

/* 0 where the system does not say. */
size_t process_thread_count(void);
/* Without the one that counting takes. */
size_t process_descriptor_count(void);
size_t process_resident_kib(void);

#endif
