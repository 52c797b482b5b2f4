/* SPDX-License-Identifier: MIT */
#include "support/child.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cmocka.h"

int test_in_child(int (*run)(void *context), void *context)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(run(context));
	while (waitpid(child, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
