/* SPDX-License-Identifier: MIT */
#include "base/signals.h"

#include <pthread.h>
#include <stddef.h>

void sb_signals_block(sigset_t *before)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t blocked;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(&blocked, own[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, before);
}

void sb_signals_give_back(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}
