/* SPDX-License-Identifier: MIT */
#include "bench/durable/postgres_server.h"
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN_MAX = 4096 };

/* Debian keeps the programs of each version in a folder of their own; the newest one is taken. */
static bool find_program(const char *name, char *path)
{
	char pattern[PATH_LEN_MAX];
	glob_t found = { 0 };
	bool is_found = false;

	snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s", name);
	is_found = glob(pattern, 0, NULL, &found) == 0;
	if (is_found)
		snprintf(path, PATH_LEN_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return is_found || (snprintf(path, PATH_LEN_MAX, "%s", name), server_has_program(name));
}

static const char *start(char *initdb, char *postgres)
{
	char *folder = (char *)server_folder("postgres", "postgres");
	char path[PATH_LEN_MAX];
	char *init_args[] = { initdb,  "-D", folder, "-U",         "postgres",          "-A",
			      "trust", "-E", "UTF8", "--locale=C", "--no-instructions", NULL };
	char *args[] = { postgres,
			 "-D",
			 folder,
			 "-k",
			 folder,
			 "-c",
			 "listen_addresses=",
			 "-c",
			 "shared_buffers=1GB",
			 "-c",
			 "max_wal_size=8GB",
			 "-c",
			 "checkpoint_timeout=30min",
			 "-c",
			 "wal_buffers=64MB",
			 "-c",
			 "work_mem=64MB",
			 NULL };

	if (!server_run("initdb", init_args, "postgres"))
		return NULL;
	server_start("postgres", args, "postgres", SIGINT);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
	if (!server_wait_socket(path))
		bench_die("postgres does not answer; see its log");
	return folder;
}

const char *postgres_server_folder(void)
{
	static bool is_tried;
	static const char *folder;
	char initdb[PATH_LEN_MAX];
	char postgres[PATH_LEN_MAX];

	if (!is_tried && find_program("initdb", initdb) && find_program("postgres", postgres))
		folder = start(initdb, postgres);
	is_tried = true;
	return folder;
}
