/* SPDX-License-Identifier: MIT */
/*
 * Who can run the steps of a handler, and how many of them now: this process' registry, or a live
 * worker of another one, or nobody. Kept with the names, by the leader of the writer.
 */
#ifndef SB_HANDLERS_SERVING_H
#define SB_HANDLERS_SERVING_H

#include "handlers/engine.h"

typedef enum sb_serving {
	SB_SERVING_UNKNOWN,
	SB_SERVING_HERE,      /* this process' registry has it */
	SB_SERVING_ELSEWHERE, /* a live worker of another process has */
	SB_SERVING_NOWHERE,   /* its steps fail at once, here */
} sb_serving;

/* Inside. Reads which handlers live workers of other processes serve. */
stepbus_status sb_serving_read(stepbus *engine, stepbus_error *err);
/* Frees what was read. */
void sb_serving_clear(stepbus *engine);
/* What was judged about handlers may be wrong from now on. By the leader. */
void sb_serving_forget(stepbus *engine);
/*
 * Inside. Decides who serves a handler. Before a step is failed for good, what others serve is read
 * anew: they may just have come.
 */
stepbus_status sb_serving_judge(stepbus *engine, sb_known_handler *handler, stepbus_error *err);

/* Whether a worker of this process is the kind that runs a handler that was judged. */
bool sb_serving_is_for(const sb_known_handler *handler, const stepbus_worker *worker);

/*
 * Inside. Whether a step of the handler may start in this process, by the limits that its definition
 * has; and that one does. It gives its place back when it is settled.
 */
bool sb_serving_has_room(stepbus *engine, sb_known_handler *handler);
void sb_serving_take_room(stepbus *engine, sb_known_handler *handler);

#endif
