/* SPDX-License-Identifier: MIT */
/*
 * Processes that the benchmark starts: servers, which stay up until it ends, and the worker of a
 * pair, which lives for one run. All of them listen on loopback or on a socket in the run's folder,
 * keep their data there, and end with the benchmark, however it ends. Main thread only.
 */
#ifndef BENCH_DURABLE_SERVER_H
#define BENCH_DURABLE_SERVER_H

#include "bench/durable/durable.h"

#include <sys/types.h>

/** Whether there is such a program; the path of a file or a name for PATH. */
bool server_has_program(const char *program);

/** A port of 127.0.0.1 that is free at this moment. */
int server_free_port(void);

/** Makes an empty folder in the run's folder; it belongs to whom the server runs as. */
const char *server_folder(const char *name, const char *user);

/**
 * Starts a server; its output goes to <name>.log in the run's folder. stop_signal ends it. No server
 * runs as root: when the benchmark does, they run as `user`; NULL: as nobody.
 */
pid_t server_start(const char *name, char *const argv[], const char *user, int stop_signal);

/** Runs a program to its end, as above; whether it ended well. */
bool server_run(const char *name, char *const argv[], const char *user);

/** Waits until something accepts connections on a port, or at a socket; false after 10 s. */
bool server_wait_port(int port);
bool server_wait_socket(const char *path);

/** Connects to 127.0.0.1; -1 if nobody listens. */
int server_connect(int port);

/** Stops all servers. Called at exit too. */
void server_stop_all(void);

/**
 * A producer here and a worker in another process, each with a connection of its own.
 *
 * connect  is_worker says for whom. NULL: cannot take part.
 * produce, consume  put and finish so many steps in blocks of the plan's size.
 * left     how many steps are not finished; asked at the end.
 */
typedef struct server_pair {
	void *(*connect)(const durable_plan *plan, bool is_worker);
	void (*produce)(void *connection, size_t count);
	void (*consume)(void *connection, size_t count);
	size_t (*left)(void *connection);
	void (*disconnect)(void *connection);
} server_pair;

/** One run of a pair, in steps a second: from the first put to the last finish. */
double server_pair_run(const server_pair *pair, const durable_plan *plan, size_t count);

#endif
