/* SPDX-License-Identifier: MIT */
/*
 * Guests: workers whose handlers run in another language, by the bindings. A guest is a role that
 * becomes an interpreter (execvp) with the script guest.py or guest.mjs beside this file, which opens
 * the same store with a configuration that is drawn likewise, serves the same handlers with the same
 * behaviour (kill/behave.h), and appends the same lines to the log.
 *
 * A guest does not have the calls of points_calls.c; it has points of its own around its handlers,
 * by its place in the page, and tells there, too, when it is about to end itself.
 *
 * Liars do not always note what they do: the negative control.
 */
#ifndef TESTS_TORTURE_KILL_GUEST_H
#define TESTS_TORTURE_KILL_GUEST_H

#include "torture/kill/roles.h"

#define GUEST_PYTHON "python"
#define GUEST_NODE "node"
#define GUEST_PYTHON_LIAR "python-liar"
#define GUEST_NODE_LIAR "node-liar"

/* What a guest says with LOG_READY. */
typedef enum guest_language {
	GUEST_NONE,
	GUEST_IN_PYTHON,
	GUEST_IN_NODE,
	GUEST_LANGUAGE_COUNT
} guest_language;

/* NULL: none. */
guest_language guest_language_of(const char *role);
/* Whether the bindings are built, and the interpreters there; says what is missing. */
bool guest_can_play(void);

int role_python(const role_options *options);
int role_node(const role_options *options);
int role_python_liar(const role_options *options);
int role_node_liar(const role_options *options);

#endif
