/* SPDX-License-Identifier: MIT */
/*
 * gearmand through libgearman: background jobs, submitted a block at a time, with its own SQLite
 * queue or in memory.
 */
#include "bench/durable/peers.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <libgearman/gearman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL_COUNT = 3, LINE_LEN = 512, TIMEOUT_MS = 20 * 1000 };

static const char FUNCTION[] = "step";

typedef struct job_client {
	gearman_client_st *client; /* of the producer */
	gearman_worker_st *worker;
	size_t block;
	size_t done;
	int port;
} job_client;

static int ports[LEVEL_COUNT];

static int port_of(durable_level level)
{
	const char *name = level == DURABLE_DISK ? "gearman-disk" : "gearman-memory";
	char port[16];
	char file[4096];
	char *args[] = { "gearmand", "-L",     "127.0.0.1", "-p", port, "-P", NULL,
			 "-l",       "stderr", NULL,        NULL, NULL, NULL, NULL };

	if (ports[level] != 0 || !server_has_program(args[0]))
		return ports[level];
	ports[level] = server_free_port();
	snprintf(port, sizeof(port), "%d", ports[level]);
	args[9] = (char *)server_folder(name, NULL);
	snprintf(file, sizeof(file), "%s/pid", args[9]);
	args[6] = strdup(file);
	snprintf(file, sizeof(file), "--libsqlite3-db=%s/queue.db", args[9]);
	args[9] = level == DURABLE_DISK ? "-q" : NULL;
	args[10] = "libsqlite3";
	args[11] = file;
	server_start(name, args, NULL, SIGTERM);
	if (!server_wait_port(ports[level]))
		bench_die("gearmand does not answer");
	return ports[level];
}

static void *run_job(gearman_job_st *job, void *context, size_t *result_len,
		     gearman_return_t *status)
{
	job_client *client = context;

	if (gearman_job_workload_size(job) != DURABLE_INPUT_LEN)
		bench_die("gearman: a step lost its input");
	client->done++;
	*result_len = 0;
	*status = GEARMAN_SUCCESS;
	return NULL;
}

static void *connect_job(const durable_plan *plan, bool is_worker)
{
	int port = port_of(plan->level);
	job_client *client = NULL;
	gearman_return_t status = GEARMAN_SUCCESS;

	if (port == 0)
		return NULL;
	client = bench_alloc(1, sizeof(*client));
	client->block = plan->block;
	client->port = port;
	if (is_worker) {
		client->worker = gearman_worker_create(NULL);
		gearman_worker_add_server(client->worker, "127.0.0.1", (in_port_t)port);
		gearman_worker_set_timeout(client->worker, TIMEOUT_MS);
		status = gearman_worker_add_function(client->worker, FUNCTION, 0, run_job, client);
	} else {
		client->client = gearman_client_create(NULL);
		status = gearman_client_add_server(client->client, "127.0.0.1", (in_port_t)port);
	}
	if (status != GEARMAN_SUCCESS)
		bench_die("cannot connect to gearmand");
	return client;
}

static void produce(void *connection, size_t count)
{
	job_client *client = connection;
	gearman_return_t status = GEARMAN_SUCCESS;

	for (size_t done = 0; done < count; done += client->block) {
		for (size_t i = 0; i < client->block && done + i < count; i++)
			gearman_client_add_task_background(client->client, NULL, NULL, FUNCTION,
							   NULL, durable_input(), DURABLE_INPUT_LEN,
							   &status);
		if (gearman_client_run_tasks(client->client) != GEARMAN_SUCCESS)
			bench_die("gearman: %s", gearman_client_error(client->client));
		gearman_client_task_free_all(client->client);
	}
}

static void consume(void *connection, size_t count)
{
	job_client *client = connection;

	while (client->done < count)
		if (gearman_worker_work(client->worker) != GEARMAN_SUCCESS)
			bench_die("gearman: %s", gearman_worker_error(client->worker));
}

/* The server's answer is a line for each function, `name TAB jobs TAB …`, and a dot. */
static size_t left(void *connection)
{
	job_client *client = connection;
	int socket = server_connect(client->port);
	FILE *stream = fdopen(socket, "r+");
	char line[LINE_LEN];
	size_t count = 0;

	if (stream == NULL || write(socket, "status\n", 7) != 7)
		bench_die("cannot ask gearmand");
	while (fgets(line, sizeof(line), stream) != NULL && line[0] != '.')
		if (strncmp(line, "step\t", 5) == 0)
			count = strtoull(line + 5, NULL, 10);
	fclose(stream);
	return count;
}

static void disconnect(void *connection)
{
	job_client *client = connection;

	gearman_client_free(client->client);
	free(client);
}

double peer_gearman(const durable_plan *plan, size_t count)
{
	static const server_pair pair = { connect_job, produce, consume, left, disconnect };

	return server_pair_run(&pair, plan, count);
}
