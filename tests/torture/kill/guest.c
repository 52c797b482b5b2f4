/* SPDX-License-Identifier: MIT */
#include "torture/kill/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture/kill/points.h"

/* The scripts count on it. */
_Static_assert(offsetof(point_place, is_armed) == 0 && offsetof(point_place, countdown) == 4 &&
		       offsetof(point_place, signal) == 12 && offsetof(point_place, phase) == 20 &&
		       offsetof(point_place, cause) == 24 && POINT_SERVING == 1,
	       "guest.py and guest.mjs have other places in the page");

static const struct tongue {
	const char *variable; /* of the environment: another interpreter */
	const char *interpreter;
	const char *script; /* from the root of the source tree, where proofs are run */
} tongues[GUEST_LANGUAGE_COUNT] = {
	[GUEST_IN_PYTHON] = { "PYTHON", "/usr/bin/python3", "tests/torture/kill/guest.py" },
	[GUEST_IN_NODE] = { "NODE", "node", "tests/torture/kill/guest.mjs" },
};

guest_language guest_language_of(const char *role)
{
	if (role != NULL &&
	    (strcmp(role, GUEST_PYTHON) == 0 || strcmp(role, GUEST_PYTHON_LIAR) == 0))
		return GUEST_IN_PYTHON;
	if (role != NULL && (strcmp(role, GUEST_NODE) == 0 || strcmp(role, GUEST_NODE_LIAR) == 0))
		return GUEST_IN_NODE;
	return GUEST_NONE;
}

static const char *interpreter_of(const struct tongue *t)
{
	const char *said = getenv(t->variable);

	return said != NULL && *said != '\0' ? said : t->interpreter;
}

bool guest_can_play(void)
{
	bool can_play = true;

	for (int i = GUEST_NONE + 1; i < GUEST_LANGUAGE_COUNT; i++) {
		const char *interpreter = interpreter_of(&tongues[i]);
		pid_t pid = fork();
		int status = -1;

		if (pid == 0) {
			(void)execlp(interpreter, interpreter, tongues[i].script, "check",
				     (char *)NULL);
			(void)fprintf(stderr, "%s: %s\n", interpreter, strerror(errno));
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
			(void)fprintf(stderr,
				      "kill guests: %s cannot run %s here: build the bindings "
				      "(tests/bindings/fire.sh does), and start this in the root "
				      "of the source tree\n",
				      interpreter, tongues[i].script);
			can_play = false;
		}
	}
	return can_play;
}

/* Interpreters say a lot when they are ended: for those who look for why something failed. */
static void write_errors_beside(const char *log_path)
{
	char path[512];
	int file;

	(void)snprintf(path, sizeof path, "%s-of-guests", log_path);
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file >= 0)
		(void)dup2(file, STDERR_FILENO);
}

static int become(const role_options *options, guest_language language, const char *manner)
{
	const struct tongue *t = &tongues[language];
	const char *interpreter = interpreter_of(t);
	const struct rlimit none = { 0, 0 };
	char config[ROLE_CONFIG_LEN], process[16], place[24];
	sigset_t end;

	(void)role_configure(options, config, sizeof config);
	(void)snprintf(process, sizeof process, "%d", options->process);
	(void)snprintf(place, sizeof place, "%zu", (size_t)options->place * sizeof(point_place));
	/* Some of its handlers abort it. */
	(void)setrlimit(RLIMIT_CORE, &none);
	write_errors_beside(options->log_path);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &end, NULL);
	(void)execlp(interpreter, interpreter, t->script, manner, process, config,
		     options->log_path, options->page_path, place, (char *)NULL);
	(void)fprintf(stderr, "%s: %s\n", interpreter, strerror(errno));
	return 127;
}

int role_python(const role_options *options)
{
	return become(options, GUEST_IN_PYTHON, "honest");
}

int role_node(const role_options *options)
{
	return become(options, GUEST_IN_NODE, "honest");
}

int role_python_liar(const role_options *options)
{
	return become(options, GUEST_IN_PYTHON, "liar");
}

int role_node_liar(const role_options *options)
{
	return become(options, GUEST_IN_NODE, "liar");
}
