/* SPDX-License-Identifier: MIT */
/*
 * The peers that are written in another language: Node's EventEmitter and pyee. run.sh says in the
 * environment which interpreter to take (BENCH_NODE, BENCH_PYTHON) and where the scripts are
 * (BENCH_SCRIPTS); a peer whose interpreter is not named takes no part.
 */
#include "bench/bus.h"

#include <stdio.h>
#include <stdlib.h>

static size_t sample_script(const char *interpreter_variable, const char *file,
			    const bus_plan *plan, double *samples, size_t count)
{
	char *interpreter = getenv(interpreter_variable);
	const char *folder = getenv("BENCH_SCRIPTS");
	char script[1024];
	char mode[] = "name";
	char subscribers[16];
	char rotation[16];
	char sample_count[32];
	char *argv[] = { interpreter, script, mode, subscribers, rotation, sample_count, NULL };

	if (interpreter == NULL || interpreter[0] == '\0' || folder == NULL)
		return 0;
	snprintf(script, sizeof(script), "%s/%s", folder, file);
	snprintf(mode, sizeof(mode), "%s", plan->is_by_name ? "name" : "id");
	snprintf(subscribers, sizeof(subscribers), "%u", plan->subscriber_count);
	snprintf(rotation, sizeof(rotation), "%u", plan->rotation);
	snprintf(sample_count, sizeof(sample_count), "%zu", count);
	return bench_process_read(argv, samples, count);
}

static size_t sample_emitter(const void *plan, double *samples, size_t count)
{
	return sample_script("BENCH_NODE", "peer_emitter.js", plan, samples, count);
}

static size_t sample_pyee(const void *plan, double *samples, size_t count)
{
	return sample_script("BENCH_PYTHON", "peer_pyee.py", plan, samples, count);
}

const bench_peer peer_emitter = { "node_emitter", NULL, NULL, NULL, sample_emitter };
const bench_peer peer_pyee = { "pyee", NULL, NULL, NULL, sample_pyee };
