/* SPDX-License-Identifier: MIT */
/*
 * The bound of Redis: a hand-written reliable queue of lists. A step goes into `ready` with LPUSH,
 * moves to `running` with LMOVE and leaves it with RPOP; a block is one variadic LPUSH, one pipeline
 * of LMOVE, one RPOP. One worker, so that the tail of `running` is always its own.
 */
#include "bench/durable/peers.h"
#include "bench/durable/redis_server.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct list_client {
	redisContext *redis;
	size_t block;
	const char **args; /* LPUSH ready <input> ... */
	size_t *lens;
} list_client;

/* The reply that ends the benchmark where it is an error, and that the caller frees. */
static redisReply *reply_of(list_client *client)
{
	void *reply = NULL;

	if (redisGetReply(client->redis, &reply) != REDIS_OK)
		bench_die("redis: %s", client->redis->errstr);
	if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
		bench_die("redis: %s", ((redisReply *)reply)->str);
	return reply;
}

static long long number_of(list_client *client, const char *command)
{
	redisReply *reply = NULL;
	long long number = 0;

	redisAppendCommand(client->redis, command);
	reply = reply_of(client);
	number = reply->integer;
	freeReplyObject(reply);
	return number;
}

static void *connect_list(const durable_plan *plan, bool is_worker)
{
	const char *path = redis_server_socket(plan->level);
	list_client *client = NULL;

	if (path == NULL)
		return NULL;
	client = bench_alloc(1, sizeof(*client));
	client->redis = redisConnectUnix(path);
	if (client->redis == NULL || client->redis->err != 0)
		bench_die("cannot connect to redis at %s", path);
	client->block = plan->block;
	client->args = bench_alloc(plan->block + 2, sizeof(*client->args));
	client->lens = bench_alloc(plan->block + 2, sizeof(*client->lens));
	client->args[0] = "LPUSH";
	client->args[1] = "ready";
	for (size_t i = 2; i < plan->block + 2; i++)
		client->args[i] = durable_input();
	for (size_t i = 0; i < plan->block + 2; i++)
		client->lens[i] = strlen(client->args[i]);
	if (!is_worker)
		number_of(client, "DEL ready running");
	return client;
}

static void produce(void *connection, size_t count)
{
	list_client *client = connection;

	for (size_t done = 0; done < count; done += client->block) {
		size_t more = count - done < client->block ? count - done : client->block;

		redisAppendCommandArgv(client->redis, (int)more + 2, client->args, client->lens);
		freeReplyObject(reply_of(client));
	}
}

/* Reads count replies of moves; returns how many found something. */
static size_t moved_count(list_client *client, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		redisReply *reply = reply_of(client);

		if (reply->type == REDIS_REPLY_STRING && reply->len == DURABLE_INPUT_LEN)
			found++;
		freeReplyObject(reply);
	}
	return found;
}

/* Takes up to count steps; waits if there is none. */
static size_t claim(list_client *client, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		redisAppendCommand(client->redis, "LMOVE ready running RIGHT LEFT");
	found = moved_count(client, count);
	if (found > 0)
		return found;
	redisAppendCommand(client->redis, "BLMOVE ready running RIGHT LEFT 1");
	return moved_count(client, 1);
}

static void consume(void *connection, size_t count)
{
	list_client *client = connection;

	for (size_t done = 0; done < count;) {
		size_t more = count - done < client->block ? count - done : client->block;
		size_t claimed = claim(client, more);
		redisReply *reply = NULL;

		if (claimed == 0)
			continue;
		redisAppendCommand(client->redis, "RPOP running %d", (int)claimed);
		reply = reply_of(client);
		if (reply->elements != claimed)
			bench_die("redis finished %zu of %zu steps", reply->elements, claimed);
		freeReplyObject(reply);
		done += claimed;
	}
}

static size_t left(void *connection)
{
	return (size_t)(number_of(connection, "LLEN ready") +
			number_of(connection, "LLEN running"));
}

static void disconnect(void *connection)
{
	list_client *client = connection;

	redisFree(client->redis);
	free(client->args);
	free(client->lens);
	free(client);
}

double peer_redis(const durable_plan *plan, size_t count)
{
	static const server_pair pair = { connect_list, produce, consume, left, disconnect };

	return server_pair_run(&pair, plan, count);
}
