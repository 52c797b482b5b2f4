/* SPDX-License-Identifier: MIT */
/*
 * The bound of PostgreSQL: a hand-written queue with FOR UPDATE SKIP LOCKED over libpq. A block is
 * one INSERT of so many rows, one UPDATE … RETURNING that claims them, and one UPDATE (or DELETE)
 * that finishes them; each is a transaction.
 */
#include "bench/durable/peers.h"
#include "bench/durable/postgres_server.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMAND_LEN = 1024, ID_LEN_MAX = 24, PAUSE_US = 300 };

static const char SCHEMA[] =
	"DROP TABLE IF EXISTS step;"
	"CREATE TABLE step (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,"
	" queue_id int NOT NULL, handler_id int NOT NULL, priority int NOT NULL,"
	" state smallint NOT NULL, attempt_count smallint NOT NULL, token bigint,"
	" worker_id int, created_at timestamptz NOT NULL DEFAULT now(), changed_at timestamptz,"
	" input text NOT NULL);"
	"CREATE INDEX step_ready ON step (queue_id, priority, id) WHERE state = 3";

static const char ADD[] = "INSERT INTO step (queue_id, handler_id, priority, state, attempt_count,"
			  " input) SELECT 1, 1, 0, 3, 0, input FROM unnest($1::text[]) input";
static const char CLAIM[] =
	"UPDATE step SET state = 5, attempt_count = attempt_count + 1, worker_id = 7,"
	" token = 1, changed_at = now() WHERE id = ANY (ARRAY (SELECT id FROM step"
	" WHERE state = 3 AND queue_id = 1 ORDER BY priority, id LIMIT $1"
	" FOR UPDATE SKIP LOCKED)) RETURNING id, input";
static const char COMPLETE[] = "UPDATE step SET state = 6, changed_at = now()"
			       " WHERE id = ANY ($1::bigint[]) AND state = 5 AND token = 1";
static const char REMOVE[] = "DELETE FROM step"
			     " WHERE id = ANY ($1::bigint[]) AND state = 5 AND token = 1";

typedef struct table_client {
	PGconn *connection;
	size_t block;
	char *text; /* an array that goes with a command */
} table_client;

static PGresult *check(table_client *client, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		bench_die("postgres: %s", PQerrorMessage(client->connection));
	return result;
}

static PGresult *execute(table_client *client, const char *name, const char *value)
{
	return check(client, PQexecPrepared(client->connection, name, 1, &value, NULL, NULL, 0));
}

static void prepare(table_client *client, const char *name, const char *command)
{
	PQclear(check(client, PQprepare(client->connection, name, command, 0, NULL)));
}

static void *connect_table(const durable_plan *plan, bool is_worker)
{
	const char *folder = postgres_server_folder();
	table_client *client = NULL;
	char settings[COMMAND_LEN];

	if (folder == NULL)
		return NULL;
	snprintf(settings, sizeof(settings),
		 "host=%s user=postgres dbname=postgres options='-c synchronous_commit=%s'", folder,
		 plan->level == DURABLE_DISK ? "on" : "off");
	client = bench_alloc(1, sizeof(*client));
	client->connection = PQconnectdb(settings);
	if (PQstatus(client->connection) != CONNECTION_OK)
		bench_die("postgres: %s", PQerrorMessage(client->connection));
	client->block = plan->block;
	client->text = bench_alloc(plan->block + 1, DURABLE_INPUT_LEN + ID_LEN_MAX);
	PQclear(check(client, PQexec(client->connection, "SET client_min_messages = error")));
	if (!is_worker)
		PQclear(check(client, PQexec(client->connection, SCHEMA)));
	prepare(client, "add", ADD);
	prepare(client, "claim", CLAIM);
	prepare(client, "finish", plan->is_deleting ? REMOVE : COMPLETE);
	return client;
}

static void write_inputs(table_client *client, size_t count)
{
	char *end = client->text;

	for (size_t i = 0; i < count; i++) {
		*end++ = i == 0 ? '{' : ',';
		memcpy(end, durable_input(), DURABLE_INPUT_LEN);
		end += DURABLE_INPUT_LEN;
	}
	memcpy(end, "}", 2);
}

static void produce(void *connection, size_t count)
{
	table_client *client = connection;
	size_t written = 0;

	for (size_t done = 0; done < count; done += client->block) {
		size_t more = count - done < client->block ? count - done : client->block;

		if (written != more)
			write_inputs(client, more);
		written = more;
		PQclear(execute(client, "add", client->text));
	}
}

static void write_ids(table_client *client, const PGresult *claimed)
{
	char *end = client->text;

	for (int i = 0; i < PQntuples(claimed); i++) {
		if (PQgetlength(claimed, i, 1) != DURABLE_INPUT_LEN)
			bench_die("postgres: a step lost its input");
		end += snprintf(end, ID_LEN_MAX, "%c%s", i == 0 ? '{' : ',',
				PQgetvalue(claimed, i, 0));
	}
	memcpy(end, "}", 2);
}

static void consume(void *connection, size_t count)
{
	table_client *client = connection;
	char limit[ID_LEN_MAX];
	size_t done = 0;

	snprintf(limit, sizeof(limit), "%zu", client->block);
	while (done < count) {
		PGresult *claimed = execute(client, "claim", limit);
		size_t found = (size_t)PQntuples(claimed);

		if (found > 0) {
			write_ids(client, claimed);
			PQclear(execute(client, "finish", client->text));
		} else {
			usleep(PAUSE_US);
		}
		PQclear(claimed);
		done += found;
	}
}

static size_t left(void *connection)
{
	table_client *client = connection;
	PGresult *result = check(
		client, PQexec(client->connection, "SELECT count(*) FROM step WHERE state <> 6"));
	size_t count = strtoull(PQgetvalue(result, 0, 0), NULL, 10);

	PQclear(result);
	return count;
}

static void disconnect(void *connection)
{
	table_client *client = connection;

	PQfinish(client->connection);
	free(client->text);
	free(client);
}

double peer_postgres(const durable_plan *plan, size_t count)
{
	static const server_pair pair = { connect_table, produce, consume, left, disconnect };

	return server_pair_run(&pair, plan, count);
}
