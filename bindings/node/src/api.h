/* SPDX-License-Identifier: MIT */
/*
 * What every file of the addon sees: the two interfaces that it stands between, and how its own
 * functions say that something went wrong. The addon runs on the thread of its JavaScript
 * environment, but for the run functions of tasks (task.h) and the log function (journal.h).
 */
#ifndef SBN_API_H
#define SBN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAPI_VERSION 8
#include <node_api.h>
#include <stepbus.h>

/*
 * Leaves a function of the addon where a call of Node-API failed: the exception that it left, or that
 * is thrown here, goes up to JavaScript.
 */
#define SBN_TRY(env, call)                          \
	do {                                        \
		if ((call) != napi_ok)              \
			return sbn_throw_napi(env); \
	} while (0)

#endif
