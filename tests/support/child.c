/* SPDX-License-Identifier: MIT */
#include "support/child.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/thread.h"

int test_in_child(int (*run)(void *context), void *context)
{
	int status = 0;
	pid_t child;

#if defined(__SANITIZE_ADDRESS__)
	/* Its allocator has locks that a fork does not mind; a thread that has one is not in the child. */
	test_threads_await_sleep();
#endif
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(run(context));
	while (waitpid(child, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
