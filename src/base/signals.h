/* SPDX-License-Identifier: MIT */
/*
 * Which signals our own threads take: none that is meant for the process, so that no handler of the host
 * runs on them and no call of theirs is interrupted. But those that a thread brings upon itself (a fault,
 * a trap) stay as the host set them: runtimes live by them (null checks, safepoints, stack growth) while
 * their handlers run on our pool, and what reports crashes could not report one that the system answers
 * to a blocked signal, which is to end the process at once.
 */
#ifndef SB_BASE_SIGNALS_H
#define SB_BASE_SIGNALS_H

#include <signal.h>

/* For the calling thread, and for those that it starts before it gives them back. */
void sb_signals_block(sigset_t *before);
void sb_signals_give_back(const sigset_t *before);

#endif
