/* SPDX-License-Identifier: MIT */
/*
 * beanstalkd over its own protocol. Commands are pipelined a block at a time; with a block of 1 one
 * connection puts, reserves and deletes each step before it puts the next.
 */
#include "bench/durable/peers.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_LEN = 128 * 1024, LINE_LEN = 256, BLOCK_MAX = 256, LEVEL_COUNT = 3 };

typedef struct line_client {
	FILE *input;
	int socket;
	size_t block;
	size_t output_len;
	char output[BUFFER_LEN];
} line_client;

static int ports[LEVEL_COUNT];

static int port_of(durable_level level)
{
	static const char *const names[] = { "beanstalkd-disk", "beanstalkd-process",
					     "beanstalkd-memory" };
	char port[16];
	char *args[] = { "beanstalkd", "-l", "127.0.0.1", "-p", port, NULL, NULL, NULL, NULL };

	if (ports[level] != 0 || !server_has_program(args[0]))
		return ports[level];
	ports[level] = server_free_port();
	snprintf(port, sizeof(port), "%d", ports[level]);
	if (level != DURABLE_MEMORY) {
		args[5] = "-b";
		args[6] = (char *)server_folder(names[level], NULL);
		args[7] = level == DURABLE_DISK ? "-f0" : "-f50";
	}
	server_start(names[level], args, NULL, SIGTERM);
	if (!server_wait_port(ports[level]))
		bench_die("beanstalkd does not answer");
	return ports[level];
}

static void flush(line_client *client)
{
	size_t sent = 0;

	while (sent < client->output_len) {
		ssize_t len = send(client->socket, client->output + sent, client->output_len - sent,
				   MSG_NOSIGNAL);

		if (len <= 0)
			bench_die("beanstalkd has gone");
		sent += (size_t)len;
	}
	client->output_len = 0;
}

static void say(line_client *client, const char *text, size_t len)
{
	if (client->output_len + len > BUFFER_LEN)
		flush(client);
	memcpy(client->output + client->output_len, text, len);
	client->output_len += len;
}

static void hear(line_client *client, char *line, const char *wanted)
{
	if (fgets(line, LINE_LEN, client->input) == NULL)
		bench_die("beanstalkd has gone");
	if (strncmp(line, wanted, strlen(wanted)) != 0)
		bench_die("beanstalkd said %s instead of %s", line, wanted);
}

static void hear_body(line_client *client, char *body, size_t len)
{
	if (fread(body, 1, len + 2, client->input) != len + 2)
		bench_die("beanstalkd has gone");
}

static void *connect_line(const durable_plan *plan, bool is_worker)
{
	line_client *client = NULL;
	int port = port_of(plan->level);
	int no_delay = 1;

	(void)is_worker;
	if (port == 0)
		return NULL;
	client = bench_alloc(1, sizeof(*client));
	client->block = plan->block < BLOCK_MAX ? plan->block : BLOCK_MAX;
	client->socket = server_connect(port);
	setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
	client->input = fdopen(client->socket, "r");
	if (client->input == NULL)
		bench_die("cannot read from beanstalkd");
	return client;
}

static void put_block(line_client *client, size_t count)
{
	char line[LINE_LEN];
	int len = snprintf(line, sizeof(line), "put 0 0 60 %d\r\n", DURABLE_INPUT_LEN);

	for (size_t i = 0; i < count; i++) {
		say(client, line, (size_t)len);
		say(client, durable_input(), DURABLE_INPUT_LEN);
		say(client, "\r\n", 2);
	}
	flush(client);
	for (size_t i = 0; i < count; i++)
		hear(client, line, "INSERTED ");
}

static void finish_block(line_client *client, size_t count)
{
	unsigned long long ids[BLOCK_MAX];
	char line[LINE_LEN];
	char body[DURABLE_INPUT_LEN + 2];

	for (size_t i = 0; i < count; i++)
		say(client, "reserve\r\n", 9);
	flush(client);
	for (size_t i = 0; i < count; i++) {
		hear(client, line, "RESERVED ");
		ids[i] = strtoull(line + 9, NULL, 10);
		hear_body(client, body, DURABLE_INPUT_LEN);
	}
	for (size_t i = 0; i < count; i++) {
		int len = snprintf(line, sizeof(line), "delete %llu\r\n", ids[i]);

		say(client, line, (size_t)len);
	}
	flush(client);
	for (size_t i = 0; i < count; i++)
		hear(client, line, "DELETED");
}

static void produce(void *connection, size_t count)
{
	line_client *client = connection;

	for (size_t done = 0; done < count; done += client->block)
		put_block(client, count - done < client->block ? count - done : client->block);
}

static void consume(void *connection, size_t count)
{
	line_client *client = connection;

	for (size_t done = 0; done < count; done += client->block)
		finish_block(client, count - done < client->block ? count - done : client->block);
}

static size_t number_after(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found != NULL ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static size_t left(void *connection)
{
	line_client *client = connection;
	char line[LINE_LEN];
	char *body = NULL;
	size_t len = 0;
	size_t count = 0;

	say(client, "stats\r\n", 7);
	flush(client);
	hear(client, line, "OK ");
	len = strtoull(line + 3, NULL, 10);
	body = bench_alloc(len + 3, 1);
	hear_body(client, body, len);
	count = number_after(body, "current-jobs-ready: ") +
		number_after(body, "current-jobs-reserved: ");
	free(body);
	return count;
}

static void disconnect(void *connection)
{
	line_client *client = connection;

	fclose(client->input);
	free(client);
}

static const server_pair PAIR = { connect_line, produce, consume, left, disconnect };

static double one_by_one(const durable_plan *plan, size_t count)
{
	line_client *client = connect_line(plan, true);
	uint64_t start_ns = bench_now_ns();
	uint64_t elapsed_ns = 0;

	if (client == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		put_block(client, 1);
		finish_block(client, 1);
	}
	elapsed_ns = bench_now_ns() - start_ns;
	if (left(client) != 0)
		bench_die("beanstalkd has steps left");
	disconnect(client);
	return durable_rate(count, elapsed_ns);
}

double peer_beanstalkd(const durable_plan *plan, size_t count)
{
	if (plan->is_awaited)
		return one_by_one(plan, count);
	return server_pair_run(&PAIR, plan, count);
}
