/* SPDX-License-Identifier: MIT */
#include "bench/durable/redis_server.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LEVEL_COUNT = 3 };

static const char *sockets[LEVEL_COUNT];

const char *redis_server_socket(durable_level level)
{
	static const char *const names[] = { "redis-disk", "redis-process", "redis-memory" };
	char path[4096];
	char *args[] = { "redis-server",
			 "--port",
			 "0",
			 "--unixsocket",
			 path,
			 "--unixsocketperm",
			 "777",
			 "--save",
			 "",
			 "--dir",
			 NULL,
			 "--appendonly",
			 level == DURABLE_MEMORY ? "no" : "yes",
			 "--appendfsync",
			 level == DURABLE_DISK ? "always" : "everysec",
			 "--maxmemory-policy",
			 "noeviction",
			 NULL };

	if (sockets[level] != NULL || !server_has_program(args[0]))
		return sockets[level];
	args[10] = (char *)server_folder(names[level], NULL);
	snprintf(path, sizeof(path), "%s/socket", args[10]);
	server_start(names[level], args, NULL, SIGTERM);
	if (!server_wait_socket(path))
		bench_die("redis-server does not answer");
	sockets[level] = strdup(path);
	return sockets[level];
}
