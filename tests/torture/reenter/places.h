/* SPDX-License-Identifier: MIT */
/*
 * Where a function is called from: inside each kind of host code that the library calls, beside a stop
 * or a close, behind them, and in forked children. A place is entered once in a cell's process.
 */
#ifndef TESTS_TORTURE_REENTER_PLACES_H
#define TESTS_TORTURE_REENTER_PLACES_H

#include "torture/reenter/world.h"

typedef enum place {
	PLACE_NONE,
	PLACE_PLAIN,             /* no callback at all */
	PLACE_HANDLER,           /* a handler, on a thread of the pool */
	PLACE_FACTORY,           /* the create of a factory, likewise */
	PLACE_ENGINE_SUBSCRIBER, /* a subscriber of the engine's bridge, on the publisher's thread */
	PLACE_NOTICE,            /* likewise, on the engine's thread that tells what is durable */
	PLACE_QUEUED,         /* a queued subscriber of the engine's bridge, on its loop thread */
	PLACE_DONE,           /* the callback of stepbus_step_enqueue_async */
	PLACE_OWN_SUBSCRIBER, /* a subscriber of the host's own bridge */
	PLACE_OWN_QUEUED,     /* a queued one */
	PLACE_COMPLETE,       /* the completion function of the host's execution subscriber */
	PLACE_VISITOR,        /* the visitor of stepbus_registry_each */
	PLACE_HEALTH,         /* a handler's health function */
	PLACE_DESTROY_SUBSCRIPTION,
	PLACE_DESTROY_HANDLER,
	PLACE_LOG_BRIDGE,     /* the log function, told of a refused event */
	PLACE_LOG_REGISTRY,   /* told of a handler that is registered */
	PLACE_LOG_OPEN,       /* told of a store that is opened */
	PLACE_ALLOCATE,       /* the allocator */
	PLACE_CLOCK,          /* the clocks */
	PLACE_RANDOM,         /* the random function */
	PLACE_BESIDE_STOP,    /* another thread is in stepbus_stop, and waits for a handler */
	PLACE_IN_CLOSE,       /* in a handler that stepbus_close waits for */
	PLACE_BESIDE_CLOSE,   /* another thread is in stepbus_close */
	PLACE_STOPPED,        /* after stepbus_stop */
	PLACE_CLOSED,         /* after stepbus_close */
	PLACE_FORKED,         /* a forked child of a busy engine's process */
	PLACE_FORKED_HANDLER, /* a child that was forked in a handler, on the thread of that */
	PLACE_ATFORK,         /* a child handler of pthread_atfork */
	PLACE_COUNT,
} place;

/* Calls a function: it answers a status, or WORLD_WRONG. */
typedef stepbus_status (*place_call)(world *w, stepbus_error *err);

const char *place_name(place where);
/* Whether the function is called in a callback of the engine. */
bool place_is_in_engine(place where);
bool place_is_forked(place where);
/* Whether a handler's context can be had there. */
bool place_has_context(place where);
/* Whether the host code there must not call the library, but for what is pure. */
bool place_is_hook(place where);

/* Brings a call to its place. needs_context: on the thread of a handler. */
void place_enter(world *w, place where, bool needs_context, place_call call);

#endif
