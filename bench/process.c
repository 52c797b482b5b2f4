/* SPDX-License-Identifier: MIT */
/* Runs a peer that lives in a process of its own and reads the numbers it prints. */
#include "bench/harness.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The child may use all CPUs: garbage collectors and compilers of its runtime have threads of their
 * own.
 */
static pid_t start(char *const argv[], int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	if (posix_spawn_file_actions_init(&actions) != 0)
		bench_die("cannot get memory to start %s", argv[0]);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	bench_cpu_unpin();
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
		pid = -1;
	bench_cpu_pin(0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static size_t read_numbers(int input, double *numbers, size_t count)
{
	FILE *stream = fdopen(input, "r");
	char line[128];
	size_t number_count = 0;

	if (stream == NULL)
		bench_die("cannot read from a process");
	while (number_count < count && fgets(line, sizeof(line), stream) != NULL) {
		char *end = NULL;

		numbers[number_count] = strtod(line, &end);
		if (end != line)
			number_count++;
	}
	fclose(stream);
	return number_count;
}

size_t bench_process_read(char *const argv[], double *numbers, size_t count)
{
	int ends[2];
	int status = 0;
	size_t number_count = 0;
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC) != 0)
		bench_die("cannot make a pipe");
	pid = start(argv, ends[1]);
	close(ends[1]);
	number_count = read_numbers(ends[0], numbers, count);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && number_count == count)
		return number_count;
	fprintf(stderr, "bench: %s %s did not measure itself; left out\n", argv[0], argv[1]);
	return 0;
}
