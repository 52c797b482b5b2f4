/* SPDX-License-Identifier: MIT */
/*
 * Keeps pthread_cancel out: a thread that is cancelled in the middle of a call would leave locks locked,
 * statements open, and what it was to free behind. What is declared by SB_UNCANCELLED puts a
 * cancellation off until the end of its block, where nothing is held any more; the thread then acts on
 * it at its next cancellation point, in the host's own code.
 *
 * All exported functions begin with it that may wait, write, log or run a destroy. Those that only
 * compute have no cancellation point, and hot paths guard the rare places where they have one.
 */
#ifndef SB_BASE_CANCEL_H
#define SB_BASE_CANCEL_H

#include <pthread.h>

static inline int sb_cancel_disable(void)
{
	int state = PTHREAD_CANCEL_ENABLE;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void sb_cancel_restore(const int *state)
{
	(void)pthread_setcancelstate(*state, NULL);
}

#define SB_UNCANCELLED                                                               \
	__attribute__((cleanup(sb_cancel_restore), unused)) const int cancel_state = \
		sb_cancel_disable()

#endif
