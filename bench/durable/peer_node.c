/* SPDX-License-Identifier: MIT */
/* Runs a peer's script in Node, which measures one run and prints its steps a second. */
#include "bench/durable/peers.h"
#include "bench/durable/postgres_server.h"
#include "bench/durable/redis_server.h"

#include "bench/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENT_LEN = 4096 };

/* Where the script finds its store; NULL: that is not there. */
static const char *store_of(const durable_plan *plan)
{
	if (strcmp(plan->script, "plainjob") == 0)
		return durable_path("plainjob.db");
	if (strcmp(plan->script, "bullmq") == 0)
		return redis_server_socket(plan->level);
	return postgres_server_folder();
}

static void become(const durable_plan *plan, const char *store, size_t count, int output)
{
	const char *scripts = getenv("BENCH_SCRIPTS");
	char script[ARGUMENT_LEN];
	char number[32];
	char *args[] = { "node",        script,
			 (char *)store, plan->level == DURABLE_DISK ? "disk" : "process",
			 number,        NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof(script), "%s/%s.mjs", scripts != NULL ? scripts : ".",
		 plan->script);
	snprintf(number, sizeof(number), "%zu", count);
	execvp(args[0], args);
	_exit(127);
}

double peer_node(const durable_plan *plan, size_t count)
{
	const char *store = store_of(plan);
	FILE *stream = NULL;
	double rate = -1;
	int ends[2];
	int status = 0;
	pid_t pid = -1;

	if (store == NULL || pipe(ends) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		become(plan, store, count, ends[1]);
	}
	close(ends[1]);
	stream = fdopen(ends[0], "r");
	if (pid < 0 || stream == NULL || fscanf(stream, "%lf", &rate) != 1)
		rate = -1;
	if (stream != NULL)
		fclose(stream);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return -1;
	return rate;
}
