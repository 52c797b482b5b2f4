/* SPDX-License-Identifier: MIT */
/**
 * stepbus: an event bus and a step runtime inside your process, behind one narrow C ABI.
 *
 * This header is the whole stable interface. It stands alone (C99, C11, C++11), needs no macro to
 * be used, and can be read by foreign-function tools. How to read it:
 *
 *   names     stepbus_<noun>_<verb>; units come last (timeout_ms). The words for lifetimes are
 *             _new/_free, _open/_close, _start/_stop, _add/_remove and _ref/_unref. Every _free and
 *             _unref accepts NULL.
 *   status    a call returns STEPBUS_OK (0) or one of the codes below. The last parameter is a
 *             stepbus_error that the caller owns and that may be NULL; its message says what could
 *             not be done, to what, and what to do about it.
 *   text      is (pointer, length) and UTF-8; it needs no terminator. Inputs are copied before the
 *             call returns. An optional text is left out with (NULL, 0).
 *   structs   start with `size`: set it to sizeof the struct. The library refuses fields that it
 *             does not know unless they are zero, so an old library never ignores a wish of a new
 *             host.
 *   threads   each function says from where it may be called. "any" means any thread, also from
 *             inside a callback of the library. No lock of the library is held while host code
 *             runs, but for what a stepbus_host lends: memory, clocks and random bytes.
 *   callbacks come as function, user_data and destroy. destroy runs exactly once, also when the
 *             call that was given it fails (but not of a struct whose size cannot be right: nothing
 *             of it is read). A callback ends by returning: not by longjmp, an exception,
 *             pthread_exit or a cancellation.
 *   cancel    a thread that is cancelled (pthread_cancel) inside a call acts on that behind it, never
 *             in it (asynchronous cancellation no call bears). What callbacks do is theirs: a thread
 *             that may be cancelled keeps that out (pthread_setcancelstate) while it publishes or gives
 *             handlers back.
 *   signals   interrupt no call, and are left as the host has set them: the library's own threads block
 *             all but those that a fault raises (SIGSEGV and its like), which come to the host's handlers.
 *             No function may be called from inside a signal handler.
 *   fork      after fork() the child gets STEPBUS_EFORKED from every object of the parent, and frees
 *             nothing of it. It may make objects of its own, but where the parent had a store in a file
 *             open, it gets none in a file: SQLite does not survive a fork either. Execute a program then,
 *             or fork before opening.
 *
 * There is no discovery: nothing here scans a directory, loads a library or looks up a symbol by
 * name.
 */
#ifndef STEPBUS_H
#define STEPBUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STEPBUS_API __attribute__((visibility("default")))
#else
#define STEPBUS_API
#endif

/** The version of this header. stepbus_version() tells that of the library. */
#define STEPBUS_VERSION "0.1.0"

/**
 * Changes when an old binary could no longer use the library; equal to the number in
 * libstepbus.so.N.
 */
#define STEPBUS_ABI_VERSION 0

/**
 * Writes a string literal as the (pointer, length) pair that the calls take. A convenience for C.
 */
#define STEPBUS_TEXT(literal) (literal), (sizeof(literal) - 1)

/*
 * Status and errors
 * -----------------
 */

/** What a call answers. The values never change their meaning and are never reused. */
typedef int32_t stepbus_status;

enum {
	STEPBUS_OK = 0,
	STEPBUS_EINVAL = 1,      /* an argument is not allowed; the message names it */
	STEPBUS_ENOMEM = 2,      /* memory ran out; nothing was changed */
	STEPBUS_ENOTFOUND = 3,   /* no such event, subscription, handler or field */
	STEPBUS_EEXISTS = 4,     /* that name is taken */
	STEPBUS_EINACTIVE = 5,   /* the bridge or subscriber is not started */
	STEPBUS_EFULL = 6,       /* a bounded queue has no room */
	STEPBUS_EDELIVERY = 7,   /* delivered, but a subscriber answered with an error */
	STEPBUS_EREENTRANT = 8,  /* not allowed from inside this callback, or nested too deep */
	STEPBUS_ESEALED = 9,     /* the registry is sealed */
	STEPBUS_ELIMIT = 10,     /* a stated limit is reached */
	STEPBUS_EFORKED = 11,    /* it, or SQLite itself, belongs to the parent of this process */
	STEPBUS_ESHUTDOWN = 12,  /* it is being stopped or freed */
	STEPBUS_ETIMEDOUT = 13,  /* the time given to the call is over */
	STEPBUS_EBUSY = 14,      /* refused for now; the same call may succeed later */
	STEPBUS_EALREADY = 15,   /* completed before, with other content */
	STEPBUS_ESTALE = 16,     /* a newer attempt of this step exists, or its lease was lost */
	STEPBUS_EHANDLER = 17,   /* host code (a handler, factory or health check) failed */
	STEPBUS_ESYSTEM = 18,    /* the operating system refused a thread, descriptor or mapping */
	STEPBUS_ESTORE = 19,     /* the store failed; the outcome is unknown; open it anew */
	STEPBUS_ENOSPACE = 20,   /* the store has no room; nothing was changed, and it goes on */
	STEPBUS_EREADONLY = 21,  /* the store cannot be written */
	STEPBUS_ECORRUPT = 22,   /* the store's file is damaged, or none of ours */
	STEPBUS_EVERSION = 23,   /* the store was written by a newer version */
	STEPBUS_ENETWORK = 24,   /* the store lies on a network file system */
	STEPBUS_ECANCELLED = 25, /* the step was cancelled */
};

/**
 * Where a call writes what went wrong. Owned by the caller, reusable, and only written on failure.
 * size bounds the message: a foreign host may pass a larger or a smaller block than this struct, of
 * at least 16 bytes; the message is cut on a character and always ends in NUL.
 */
typedef struct stepbus_error {
	uint32_t size;
	int32_t code;
	char message[1016];
} stepbus_error;

/** An empty stepbus_error, ready for its first call. */
/* clang-format off */
#define STEPBUS_ERROR_INIT { sizeof(stepbus_error), 0, { 0 } }
/* clang-format on */

/**
 * Names a status code, for logs: "STEPBUS_ENOTFOUND", or "STEPBUS_EUNKNOWN" for a code it does not
 * know. The text is static.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API const char *stepbus_status_name(int32_t code);

/*
 * The library
 * -----------
 */

/**
 * Tells the version of the library, "0.1.0". The text is static.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API const char *stepbus_version(void);

/**
 * Tells the ABI version of the library. A host that was built with another STEPBUS_ABI_VERSION must
 * not go on.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API uint32_t stepbus_abi_version(void);

/** A piece of text that the library made; most of them are JSON documents. */
typedef struct stepbus_text stepbus_text;

/**
 * Points at the bytes of a text: UTF-8, followed by a NUL that the length does not count. Valid
 * until stepbus_text_free. NULL gives an empty text.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API const char *stepbus_text_data(const stepbus_text *text);

/**
 * Tells how many bytes a text has. NULL has none.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API size_t stepbus_text_len(const stepbus_text *text);

/**
 * Frees a text. NULL is accepted.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_text_free(stepbus_text *text);

/**
 * Describes this build as JSON: version, abi_version, compiler, the versions of the dependencies,
 * and "discovery":"compiled out".
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_build_info(stepbus_text **out, stepbus_error *err);

/**
 * Makes a new id (a UUID of version 7: ids made later sort later, to the millisecond).
 *
 * id       16 bytes, written.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ESYSTEM (no random numbers).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_id_new(uint8_t *id, stepbus_error *err);

/**
 * Writes an id in its usual form, "018f…-…", 36 characters and a NUL.
 *
 * id       16 bytes, read.
 * text     37 bytes, written.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_id_format(const uint8_t *id, char *text, stepbus_error *err);

/**
 * Reads an id from its usual form, in upper or lower case.
 *
 * id       16 bytes, written only on success.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_id_parse(const char *text, size_t len, uint8_t *id,
					    stepbus_error *err);

/*
 * What the host lends the library
 * -------------------------------
 */

enum {
	STEPBUS_LOG_DEBUG = 1,
	STEPBUS_LOG_INFO = 2,
	STEPBUS_LOG_WARN = 3,
	STEPBUS_LOG_ERROR = 4,
};

/**
 * Memory, log, clocks and randomness, lent by the host to one bridge or registry. Every function
 * may be NULL: then the library uses malloc, logs nothing, and asks the operating system. The
 * struct is copied; user_data must outlive every object that was made with it.
 *
 * log_level  records below it are not even built; 0 means STEPBUS_LOG_INFO.
 * allocate   block NULL: a new block of len bytes; len 0: frees block; else resizes it. NULL means
 *            that memory ran out. (cJSON and libevent use malloc all the same.)
 * log        gets one JSON object a call, without a line end; valid during the call. It may call
 *            the library.
 * now_us     microseconds since 1970, UTC; beyond 1970 or 9999 it counts as the nearest of these years.
 * elapsed_ns nanoseconds that never go back. Processes that share a database must count them from the
 *            same origin, which is CLOCK_MONOTONIC's where it is NULL: leases are compared by them.
 * random     fills a block with unpredictable bytes; 0 means success.
 *
 * allocate, now_us, elapsed_ns and random are called while locks are held, so they must not call the
 * library, but for what only looks at its arguments: stepbus_status_name, the versions, ids, texts,
 * payloads of steps, outcomes, definitions, stepbus_engine_bridge, stepbus_engine_registry,
 * stepbus_bridge_is_active and stepbus_clock_lend.
 */
typedef struct stepbus_host {
	uint32_t size;
	int32_t log_level;
	void *user_data;
	void *(*allocate)(void *user_data, void *block, size_t len);
	void (*log)(void *user_data, int32_t level, const char *record, size_t len);
	int64_t (*now_us)(void *user_data);
	int64_t (*elapsed_ns)(void *user_data);
	int32_t (*random)(void *user_data, void *bytes, size_t len);
} stepbus_host;

/*
 * The bridge: an event bus
 * ------------------------
 */

/**
 * The events around one step that every host meets. The catalog has the others, also those of parts
 * that are still to come: this version publishes all of these; without an engine, a host publishes
 * step.execution.received.
 */
#define STEPBUS_EVENT_STEP_EXECUTION_RECEIVED "step.execution.received"
#define STEPBUS_EVENT_STEP_COMPLETION_SENT "step.completion.sent"
#define STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT "step.checkpoint_yield.sent"
#define STEPBUS_EVENT_HANDLER_REGISTERED "handler.registered"
#define STEPBUS_EVENT_HANDLER_UNREGISTERED "handler.unregistered"
#define STEPBUS_EVENT_HANDLER_ERROR "handler.error"

/** An event bus. Two bridges never meet. */
typedef struct stepbus_bridge stepbus_bridge;

enum {
	/* publishing or interning a name that nobody declared declares it, as category "custom" */
	STEPBUS_BRIDGE_ALLOW_UNDECLARED = 1,
};

/**
 * How a bridge is made. Zero means the default.
 *
 * flags                   STEPBUS_BRIDGE_ALLOW_UNDECLARED.
 * host                    copied; may be NULL.
 * event_count_max         how many events may be declared, the standard ones included: 16,384.
 * subscription_count_max  how many subscriptions may exist at once: 65,536.
 */
typedef struct stepbus_bridge_options {
	uint32_t size;
	uint32_t flags;
	const stepbus_host *host;
	uint32_t event_count_max;
	uint32_t subscription_count_max;
} stepbus_bridge_options;

/**
 * Makes a bridge that knows the standard events. It is not started.
 *
 * options  may be NULL.
 * out      the caller frees it with stepbus_bridge_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESYSTEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_new(const stepbus_bridge_options *options,
					      stepbus_bridge **out, stepbus_error *err);

/**
 * Stops a bridge and frees it with all that subscribed. Called from inside one of its own
 * callbacks, the bridge stops at once and goes away when the outermost callback returns. NULL is
 * accepted. In a forked child nothing is run or freed.
 *
 * threads  any; no other thread may use the bridge from then on.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_bridge_free(stepbus_bridge *bridge);

/**
 * Gives the process-wide bridge, made at the first call and started. Hosts that can pass a bridge
 * around should make their own.
 *
 * out      borrowed; valid until stepbus_bridge_default_reset.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESYSTEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_default(stepbus_bridge **out, stepbus_error *err);

/**
 * Frees the process-wide bridge; the next stepbus_bridge_default makes a new one. For tests, and
 * for a forked child that wants a bridge of its own.
 *
 * threads  any, as for stepbus_bridge_free.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_bridge_default_reset(void);

/**
 * Lets a bridge accept events. Starting a started bridge does nothing.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED, STEPBUS_ESHUTDOWN (it is being freed).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_start(stepbus_bridge *bridge, stepbus_error *err);

/**
 * Refuses new events, delivers what waits in queues, removes all subscriptions, and returns when no
 * callback runs. From inside a callback of this bridge it does not wait: what is queued is dropped
 * and counted. Stopping a stopped bridge removes the subscriptions made since. It can be started
 * again.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_stop(stepbus_bridge *bridge, stepbus_error *err);

/**
 * Tells whether a bridge accepts events: 1 or 0.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API int32_t stepbus_bridge_is_active(const stepbus_bridge *bridge);

/**
 * Looks up the id of an event, once, so that publishing needs no look-up by name. Names are
 * compared byte by byte. Ids are small numbers of this bridge that never change.
 *
 * name     1 to 128 bytes of [A-Za-z0-9_-] in segments joined by dots.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (with the nearest name), STEPBUS_EFORKED; where
 *          undeclared names are allowed also STEPBUS_ENOMEM, STEPBUS_ELIMIT.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_event(stepbus_bridge *bridge, const char *name,
						size_t len, uint32_t *event_id, stepbus_error *err);

/**
 * Names an event id.
 *
 * name     borrowed and NUL-terminated; valid until the bridge is freed.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_event_name(stepbus_bridge *bridge, uint32_t event_id,
						     const char **name, size_t *len,
						     stepbus_error *err);

/**
 * Receives one event. What it returns says "delivered" (0) or "refused" (a status): it says nothing
 * about the success of a step. payload is valid during the call and belongs to the publisher. May
 * publish, subscribe, unsubscribe, stop and free.
 */
typedef int32_t (*stepbus_event_fn)(void *user_data, uint32_t event_id, const void *payload,
				    size_t len);

enum {
	STEPBUS_SUBSCRIPTION_ONCE = 1,   /* delivers one event, then is gone */
	STEPBUS_SUBSCRIPTION_QUEUED = 2, /* delivers on the loop thread, from a bounded queue */
};

/** What a queued subscription does with an event when its queue is full. */
enum {
	STEPBUS_OVERFLOW_ERROR = 0, /* the publisher gets STEPBUS_EFULL; counted as dropped */
	STEPBUS_OVERFLOW_BLOCK = 1, /* the publisher waits (on the loop thread itself: as ERROR) */
	STEPBUS_OVERFLOW_DROP_OLDEST = 2, /* the oldest that waits is dropped and counted */
};

/**
 * A wish to receive events.
 *
 * flags             STEPBUS_SUBSCRIPTION_…
 * priority          higher runs earlier; equal ones run in the order of subscribing.
 * overflow          STEPBUS_OVERFLOW_…, for a queued subscription.
 * queue_count_max   how many events may wait: 1 to 1,048,576; 0 means 1,024.
 * deliver           called for each event, on the publisher's thread or, queued, on the loop
 *                   thread.
 * user_data         given to deliver and destroy.
 * destroy           may be NULL; runs once, when deliver will never be called again.
 */
typedef struct stepbus_subscription {
	uint32_t size;
	uint32_t flags;
	int32_t priority;
	int32_t overflow;
	uint32_t queue_count_max;
	uint32_t reserved;
	stepbus_event_fn deliver;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_subscription;

/**
 * Subscribes to one event by its exact name, or to all that match a pattern, also those declared
 * later. In a pattern the segment "*" matches any one segment, and as the last segment one or more:
 * "step.*" matches "step.completion.sent", "*" matches everything, "*.error" matches
 * "handler.error". Publishes that begin after this call returns reach the subscriber.
 *
 * id       written on success; never reused by this bridge. May be NULL.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (an exact name that nobody declared), STEPBUS_ENOMEM,
 *          STEPBUS_ELIMIT, STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, STEPBUS_ESYSTEM (no loop thread).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_subscribe(stepbus_bridge *bridge, const char *pattern,
						    size_t len,
						    const stepbus_subscription *subscription,
						    uint64_t *id, stepbus_error *err);

/**
 * Ends a subscription. When it returns, its callback is not running and will not be called again;
 * what waited in its queue is dropped and counted. From inside a callback of this bridge it does
 * not wait, so that two callbacks may end each other: no new call begins, and destroy runs when the
 * last one returns.
 *
 * threads  any; do not hold a lock that the callback takes.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (also the second time), STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_unsubscribe(stepbus_bridge *bridge, uint64_t id,
						      stepbus_error *err);

/**
 * Publishes an event to all that subscribed, in order, and returns when the unqueued ones have
 * returned. Does not look at the payload, takes no lock and allocates nothing. A callback may
 * publish in turn, up to 32 deep.
 *
 * event_id from stepbus_bridge_event.
 * payload  any bytes, up to what memory holds; NULL with length 0 is allowed.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_EINACTIVE (refused, counted and logged),
 *          STEPBUS_EDELIVERY (every subscriber was called, at least one refused), STEPBUS_EFULL
 *          (likewise, a queue was full), STEPBUS_EREENTRANT (nested too deep), STEPBUS_ENOMEM,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_publish(stepbus_bridge *bridge, uint32_t event_id,
						  const void *payload, size_t len,
						  stepbus_error *err);

/**
 * Publishes an event by its name: stepbus_bridge_event and stepbus_bridge_publish in one.
 *
 * threads  any.
 * errors   those of both.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_publish_name(stepbus_bridge *bridge, const char *name,
						       size_t name_len, const void *payload,
						       size_t len, stepbus_error *err);

/**
 * Waits until every event that was queued before this call has been delivered or dropped.
 *
 * timeout_ms  at most this long; -1 waits without limit.
 * threads     any but the loop thread (STEPBUS_EREENTRANT).
 * errors      STEPBUS_EINVAL, STEPBUS_ETIMEDOUT, STEPBUS_EREENTRANT, STEPBUS_ENOMEM,
 *             STEPBUS_EFORKED.
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_flush(stepbus_bridge *bridge, int64_t timeout_ms,
						stepbus_error *err);

/**
 * Counts the subscribers that an event of this name reaches, those by pattern included.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_listener_count(stepbus_bridge *bridge, const char *name,
							 size_t len, uint32_t *count,
							 stepbus_error *err);

/**
 * Lists the subscriptions as a JSON array in order of delivery: id, pattern, priority, once,
 * queued, and for queued ones overflow, offered, delivered, dropped and waiting (offered =
 * delivered + dropped + waiting, always).
 *
 * name     only those that an event of this name reaches; (NULL, 0): all.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_listeners(stepbus_bridge *bridge, const char *name,
						    size_t len, stepbus_text **out,
						    stepbus_error *err);

/**
 * Tells the state of a bridge as JSON: active, events, subscriptions, refused (publishes while
 * inactive), and queued {offered, delivered, dropped, waiting} summed over all queued subscriptions
 * there ever were.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_stats(stepbus_bridge *bridge, stepbus_text **out,
						stepbus_error *err);

/*
 * The catalog: what every event means
 * -----------------------------------
 */

/**
 * The description of an event that a host declares.
 *
 * name      as for stepbus_bridge_event.
 * category  "task", "step", "workflow", "handler", "poller", "worker", "observability" or "custom";
 *           (NULL, 0) means "custom".
 * schema    the payload's JSON Schema; may be left out.
 * example   an example payload as JSON; may be left out.
 * fired_by  who publishes it, comma-separated; may be left out.
 */
typedef struct stepbus_event_info {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *category;
	size_t category_len;
	const char *description;
	size_t description_len;
	const char *schema;
	size_t schema_len;
	const char *example;
	size_t example_len;
	const char *fired_by;
	size_t fired_by_len;
} stepbus_event_info;

/**
 * Declares an event of the host's own.
 *
 * event_id may be NULL.
 * threads  any.
 * errors   STEPBUS_EINVAL (the message names the field), STEPBUS_EEXISTS, STEPBUS_ENOMEM,
 *          STEPBUS_ELIMIT, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_bridge_declare(stepbus_bridge *bridge,
						  const stepbus_event_info *info,
						  uint32_t *event_id, stepbus_error *err);

/**
 * Lists the events of a bridge as a JSON array of {name, category, description, payload_schema,
 * example_payload, fired_by}.
 *
 * category only this one; (NULL, 0): all.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL (no such category), STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_catalog_list(stepbus_bridge *bridge, const char *category,
						size_t len, stepbus_text **out, stepbus_error *err);

/**
 * Lists the events whose name or description contains a text, in any case, in the form of
 * stepbus_catalog_list. No match is an empty array.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_catalog_search(stepbus_bridge *bridge, const char *text,
						  size_t len, stepbus_text **out,
						  stepbus_error *err);

/**
 * Describes one event as a JSON object in the form of stepbus_catalog_list.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (with the nearest name), STEPBUS_ENOMEM,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_catalog_explain(stepbus_bridge *bridge, const char *name,
						   size_t len, stepbus_text **out,
						   stepbus_error *err);

/*
 * A subscriber object: several events, one object, one callback each
 * ------------------------------------------------------------------
 */

/** One object's subscriptions, taken up and given back together. */
typedef struct stepbus_subscriber stepbus_subscriber;

/** One line of a subscriber's table: events that match pattern go to deliver. */
typedef struct stepbus_route {
	uint32_t size;
	int32_t priority;
	const char *pattern;
	size_t pattern_len;
	stepbus_event_fn deliver;
} stepbus_route;

/**
 * How a subscriber is made. All routes share one user_data; destroy runs once, when the subscriber
 * has been freed and none of its callbacks runs.
 */
typedef struct stepbus_subscriber_options {
	uint32_t size;
	uint32_t route_count;
	const stepbus_route *routes;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_subscriber_options;

/**
 * Makes a subscriber with 1 to 1,024 routes. It is not started.
 *
 * bridge   must outlive the subscriber.
 * out      the caller frees it with stepbus_subscriber_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (a route names an undeclared event), STEPBUS_ENOMEM,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_subscriber_new(stepbus_bridge *bridge,
						  const stepbus_subscriber_options *options,
						  stepbus_subscriber **out, stepbus_error *err);

/**
 * Subscribes all routes, or none of them. Starting a started subscriber does nothing; starting
 * after the bridge was stopped subscribes anew.
 *
 * threads  any.
 * errors   those of stepbus_bridge_subscribe.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_subscriber_start(stepbus_subscriber *subscriber,
						    stepbus_error *err);

/**
 * Unsubscribes all routes; when it returns, none of its callbacks runs on another thread.
 *
 * threads  any, as for stepbus_bridge_unsubscribe.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_subscriber_stop(stepbus_subscriber *subscriber,
						   stepbus_error *err);

/**
 * Stops and frees a subscriber. NULL is accepted.
 *
 * threads  any, as for stepbus_bridge_unsubscribe.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_subscriber_free(stepbus_subscriber *subscriber);

/**
 * Reads a text field at the top of a JSON payload. Where there is none, out becomes NULL, which
 * stepbus_text_data reads as an empty text: a subscriber need not look at the status.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_ENOTFOUND (no JSON object of at most 1 MiB, no such field, or no text),
 *          STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_payload_text(const void *payload, size_t len, const char *field,
						size_t field_len, stepbus_text **out,
						stepbus_error *err);

/**
 * Reads an integer field at the top of a JSON payload. value is written only when the field is
 * there and is an integer above -2^53 and below 2^53: set it to your fallback before the call.
 *
 * threads  any.
 * errors   STEPBUS_ENOTFOUND (no JSON object of at most 1 MiB, no such field, or no such integer),
 *          STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_payload_int(const void *payload, size_t len, const char *field,
					       size_t field_len, int64_t *value,
					       stepbus_error *err);

/*
 * Steps: what a handler gets and gives
 * ------------------------------------
 */

/**
 * The result of a step that this step depends on. Valid as long as the step event that holds it.
 */
typedef struct stepbus_dependency {
	uint32_t size;
	uint32_t reserved;
	const char *step_name;
	size_t step_name_len;
	const void *result;
	size_t result_len;
	const char *content_type;
	size_t content_type_len;
} stepbus_dependency;

/**
 * The payload of step.execution.received: one attempt of one step. An event is a view: whoever
 * publishes it keeps what it points at alive during the call. Queued subscribers get a copy of all
 * of it.
 *
 * step_id, token  name the attempt; tokens of a step only grow.
 * task_id         all zero when the step belongs to no task.
 * handler_*       which handler is to run; the version may be empty.
 * input           opaque bytes, handed on as they are.
 * step_config     JSON from the step's template.
 * retry_count     attempts before this one; max_retries: how many there may be after the first.
 * flags           STEPBUS_STEP_PULLED.
 * queue, traceparent  what was said of the step when it was enqueued.
 * cursor, partial_result, items_processed  what the last stepbus_checkpoint said; else empty.
 * attempt_timeout_ms  how long this attempt may take; 0: as long as it likes.
 */
typedef struct stepbus_step_event {
	uint32_t size;
	uint32_t flags;
	uint8_t step_id[16];
	uint8_t task_id[16];
	uint64_t token;
	uint32_t retry_count;
	uint32_t max_retries;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *step_name;
	size_t step_name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_version;
	size_t handler_version_len;
	const void *input;
	size_t input_len;
	const char *content_type;
	size_t content_type_len;
	const char *step_config;
	size_t step_config_len;
	const stepbus_dependency *dependencies;
	size_t dependency_count;
	const char *queue;
	size_t queue_len;
	const char *traceparent;
	size_t traceparent_len;
	const void *cursor;
	size_t cursor_len;
	const void *partial_result;
	size_t partial_result_len;
	uint64_t items_processed;
	int64_t attempt_timeout_ms;
} stepbus_step_event;

enum {
	/* handed out by stepbus_poll: the host runs it, and no execution subscriber does */
	STEPBUS_STEP_PULLED = 1,
};

enum {
	STEPBUS_OUTCOME_SUCCESS = 1,
	STEPBUS_OUTCOME_FAILURE = 2,
	STEPBUS_OUTCOME_SNOOZE = 3,      /* not now: again after retry_after_ms, uncharged */
	STEPBUS_OUTCOME_CANCELLED = 4,   /* only read, of a step that was cancelled */
	STEPBUS_OUTCOME_QUARANTINED = 5, /* only read, of a step that ended too many processes */
	STEPBUS_OUTCOME_CHECKPOINT = 6,  /* so far: again at once, with the cursor, uncharged */
	STEPBUS_OUTCOME_RELEASE = 7,     /* not begun: for whoever claims it next, uncharged */
};

/**
 * The result of an attempt, as it is handed to the completion function and as the payload of
 * step.completion.sent. A view, valid during the call.
 *
 * error_type       of a failure, which needs one: "handler_not_found", "handler_factory_error",
 *                  "handler_error", or the handler's own word. As error_code and worker_id at most 128
 *                  bytes; correlation_id at most 1,024.
 * is_retryable     1 or 0: whether another attempt may succeed.
 * retry_after_ms   how long the handler asks to wait before it, at most ten years; 0: not at all; -1: it
 *                  does not say, and the policy decides.
 * metadata         a JSON object, or empty.
 * backtrace        where in the host's code it failed; kept with the attempt, cut at 64 KiB.
 * cursor           with items_processed and, as the partial result, result: what a CHECKPOINT keeps.
 */
typedef struct stepbus_completion {
	uint32_t size;
	int32_t outcome;
	uint8_t step_id[16];
	uint8_t task_id[16];
	uint64_t token;
	int64_t execution_time_us;
	int64_t retry_after_ms;
	uint32_t is_retryable;
	uint32_t reserved;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_version;
	size_t handler_version_len;
	const char *worker_id;
	size_t worker_id_len;
	const void *result;
	size_t result_len;
	const char *content_type;
	size_t content_type_len;
	const char *error_type;
	size_t error_type_len;
	const char *error_message;
	size_t error_message_len;
	const char *error_code;
	size_t error_code_len;
	const char *metadata;
	size_t metadata_len;
	const char *backtrace;
	size_t backtrace_len;
	const void *cursor;
	size_t cursor_len;
	uint64_t items_processed;
} stepbus_completion;

/**
 * Reads a payload as a step event, checking that it is one.
 *
 * out      borrowed from the payload.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_payload_step_event(const void *payload, size_t len,
						      const stepbus_step_event **out,
						      stepbus_error *err);

/**
 * Reads a payload as a completion, checking that it is one.
 *
 * out      borrowed from the payload.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_payload_completion(const void *payload, size_t len,
						      const stepbus_completion **out,
						      stepbus_error *err);

/** What a running handler may ask about its step. Valid during the handler's call. */
typedef struct stepbus_context stepbus_context;

/**
 * Gives the step that is being run, with all its fields.
 *
 * threads  the one that runs the handler.
 * errors   none; never NULL inside a handler.
 * since    0.1
 */
STEPBUS_API const stepbus_step_event *stepbus_context_step(const stepbus_context *context);

/**
 * Finds the result of a step that this step depends on.
 *
 * out      borrowed; valid during the handler's call.
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (with the names there are).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_context_dependency(const stepbus_context *context,
						      const char *step_name, size_t len,
						      const stepbus_dependency **out,
						      stepbus_error *err);

/**
 * Tells whether there was an attempt before this one: 1 or 0.
 *
 * threads  the one that runs the handler.
 * errors   none.
 * since    0.1
 */
STEPBUS_API int32_t stepbus_context_is_retry(const stepbus_context *context);

/**
 * Tells a running handler whether to go on. Cheap enough to ask in a loop. Whatever it answers but
 * STEPBUS_OK, the handler should clean up and return; its result will be refused, except on
 * STEPBUS_ESHUTDOWN, where there still is time for it.
 *
 * threads  the one that runs the handler.
 * errors   STEPBUS_ECANCELLED, STEPBUS_ETIMEDOUT (the attempt's time is over), STEPBUS_ESTALE (the
 *          lease was lost), STEPBUS_ESHUTDOWN (the worker is being stopped).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_context_check(const stepbus_context *context);

/** Where a handler writes its result. Valid during the handler's call; the last word counts. */
typedef struct stepbus_result stepbus_result;

/**
 * Says that the step succeeded.
 *
 * bytes    copied; may be empty.
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM (the step then fails and may be retried).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_result_success(stepbus_result *result, const void *bytes,
						  size_t len, stepbus_error *err);

/**
 * How a step failed.
 *
 * is_retryable    1 or 0.
 * retry_after_ms  how long to wait before the next attempt; -1: the retry policy decides.
 * error_type      (NULL, 0) means "handler_error".
 * error_code      may be left out, as may backtrace.
 */
typedef struct stepbus_failure {
	uint32_t size;
	uint32_t is_retryable;
	int64_t retry_after_ms;
	const char *message;
	size_t message_len;
	const char *error_type;
	size_t error_type_len;
	const char *error_code;
	size_t error_code_len;
	const char *backtrace;
	size_t backtrace_len;
} stepbus_failure;

/**
 * Says that the step failed.
 *
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM (the step fails all the same and may be retried).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_result_failure(stepbus_result *result,
						  const stepbus_failure *failure,
						  stepbus_error *err);

/**
 * Says that the step is to run again after a while, without an attempt charged to it.
 *
 * delay_ms 0 to 10 years.
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_result_snooze(stepbus_result *result, int64_t delay_ms,
						 stepbus_error *err);

/**
 * What a step has got done so far.
 *
 * cursor           where to go on, opaque bytes; up to the engine's payload_len_max.
 * partial_result   what there is so far; likewise.
 * items_processed  for people to see; at most INT64_MAX.
 */
typedef struct stepbus_checkpoint_spec {
	uint32_t size;
	uint32_t reserved;
	uint8_t step_id[16];
	uint64_t token;
	uint64_t items_processed;
	const void *cursor;
	size_t cursor_len;
	const void *partial_result;
	size_t partial_result_len;
} stepbus_checkpoint_spec;

/**
 * Says that the step has come this far: it is to run again at once, without an attempt charged to it, and
 * its next attempt's stepbus_context_step has the cursor and the partial result. As stepbus_checkpoint,
 * for handlers that the library calls.
 *
 * checkpoint  copied; step_id and token stay zero, since they are known.
 * threads     the one that runs the handler.
 * errors      STEPBUS_EINVAL, STEPBUS_ENOMEM (the step fails and may be retried, from where it began).
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_result_checkpoint(stepbus_result *result,
						     const stepbus_checkpoint_spec *checkpoint,
						     stepbus_error *err);

/**
 * Says what kind of bytes the result is: "application/json", the default, or anything else.
 *
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_result_set_content_type(stepbus_result *result,
							   const char *content_type, size_t len,
							   stepbus_error *err);

/**
 * Adds metadata to the result, on success and on failure.
 *
 * metadata a JSON object, copied.
 * threads  the one that runs the handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_result_set_metadata(stepbus_result *result, const char *metadata,
						       size_t len, stepbus_error *err);

/*
 * The registry: which handlers exist
 * ----------------------------------
 */

/** The table of handlers. Nothing enters it except by a register call. */
typedef struct stepbus_registry stepbus_registry;

/**
 * A resolved handler, held by a reference that its holder gives back with stepbus_handler_unref.
 * Cheapest on the thread that resolved it.
 */
typedef struct stepbus_handler stepbus_handler;

/**
 * Runs one step and writes its outcome into result. Returning 0 means "the call came through":
 * success or failure is what result says, and a handler that writes nothing has failed. Any other
 * value means that the host failed (an exception, say): the step fails as "handler_error" and may
 * be retried, unless result says a failure already, which is kept; handler.error is published.
 *
 * instance  what the factory made, or the handler's user_data where there is no factory.
 */
typedef int32_t (*stepbus_handler_fn)(void *instance, const stepbus_context *context,
				      stepbus_result *result);

enum {
	STEPBUS_HANDLER_OVERRIDE = 1, /* replaces the one of the same name and version */
	/* runs the steps that name no version, and those whose version is not there and has none below it;
	 * of several that are marked, the highest */
	STEPBUS_HANDLER_DEFAULT = 2,
	STEPBUS_HANDLER_VERSION_FROM_INPUT = 4, /* the input may name one: {"version":"…"} */
	STEPBUS_HANDLER_PULLED = 8, /* the host runs it, after stepbus_poll: without call */
};

enum {
	STEPBUS_SCOPE_STEP = 0,   /* the factory makes an instance for each step */
	STEPBUS_SCOPE_WORKER = 1, /* one for each execution subscriber, shared by its threads */
};

enum {
	STEPBUS_RETRY_DEFAULT = 0,
	STEPBUS_RETRY_NONE = 1,
	STEPBUS_RETRY_FIXED = 2,
	STEPBUS_RETRY_LINEAR = 3,
	STEPBUS_RETRY_EXPONENTIAL = 4,
	STEPBUS_RETRY_FIBONACCI = 5,
};

/**
 * The definition of a handler. Zero and (NULL, 0) mean "not said" everywhere but for name and call;
 * and for STEPBUS_HANDLER_PULLED there is no call, no factory and no instance_scope.
 *
 * name                1 to 128 bytes of [A-Za-z0-9_.:/-], as all names here; compared byte by byte.
 * handler_namespace   "default" when not said.
 * version             "1.0.0", "v2", …; "0.1.0" when not said. In order, numbers between dots count
 *                     as numbers and "1.0" as "1.0.0".
 * domain              the group it is listed under.
 * capabilities        comma-separated words; "process" when not said.
 * config_schema       the JSON Schema of its step_config.
 * permitted_queues    comma-separated; which queues may run it. Not said: all.
 * permitted_callers   comma-separated; who may enqueue it. Not said: all.
 * *_timeout_ms        waiting to start, one attempt, all attempts.
 * retry_kind          STEPBUS_RETRY_…; with attempt_count_max, retry_base_ms, retry_cap_ms,
 *                     jitter_percent.
 * concurrency_max     how many steps of it may run at once in one process; rate_per_minute: how many
 *                     may start there.
 *
 * Permissions, timeouts, retries and limits hold for the steps of an engine; an execution
 * subscriber without one runs what is announced.
 *
 * create, discard     the factory: makes an instance from user_data, and discards it again.
 * health              0 when the handler is well; otherwise it writes why into err.
 * destroy             runs once, when the handler is unregistered and no step of it runs any more.
 */
typedef struct stepbus_handler_spec {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *version;
	size_t version_len;
	const char *domain;
	size_t domain_len;
	const char *description;
	size_t description_len;
	const char *capabilities;
	size_t capabilities_len;
	const char *config_schema;
	size_t config_schema_len;
	const char *permitted_queues;
	size_t permitted_queues_len;
	const char *permitted_callers;
	size_t permitted_callers_len;
	int64_t wait_timeout_ms;
	int64_t attempt_timeout_ms;
	int64_t total_timeout_ms;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	uint32_t retry_kind;
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	uint32_t concurrency_max;
	uint32_t rate_per_minute;
	uint32_t instance_scope;
	stepbus_handler_fn call;
	int32_t (*create)(void *user_data, void **instance, stepbus_error *err);
	void (*discard)(void *user_data, void *instance);
	int32_t (*health)(void *user_data, stepbus_error *err);
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_handler_spec;

/**
 * How a registry is made. Zero means the default.
 *
 * host               copied; may be NULL.
 * handler_count_max  how many handlers may be registered at once: 1,048,576.
 */
typedef struct stepbus_registry_options {
	uint32_t size;
	uint32_t flags;
	const stepbus_host *host;
	uint32_t handler_count_max;
	uint32_t reserved;
} stepbus_registry_options;

/**
 * Makes an empty registry.
 *
 * options  may be NULL.
 * out      the caller frees it with stepbus_registry_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESYSTEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_new(const stepbus_registry_options *options,
						stepbus_registry **out, stepbus_error *err);

/**
 * Frees a registry and what is registered. Handlers that are still held live until they are given
 * back. NULL is accepted. In a forked child nothing is run or freed.
 *
 * threads  any, but not inside a callback of this registry; no other thread may use it from then
 *          on.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_registry_free(stepbus_registry *registry);

/**
 * Gives the process-wide registry, made at the first call.
 *
 * out      borrowed; valid until stepbus_registry_default_reset.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESYSTEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_default(stepbus_registry **out, stepbus_error *err);

/**
 * Frees the process-wide registry; the next stepbus_registry_default makes a new one.
 *
 * threads  any, as for stepbus_registry_free.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_registry_default_reset(void);

/**
 * Lets a registry publish handler.registered and handler.unregistered on a bridge, after each
 * change and on the thread that made it.
 *
 * bridge   must outlive the registry or be detached first; NULL detaches.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_attach(stepbus_registry *registry,
						   stepbus_bridge *bridge, stepbus_error *err);

/**
 * Registers a handler.
 *
 * spec     copied.
 * threads  any.
 * errors   STEPBUS_EINVAL (the message names the field), STEPBUS_EEXISTS (unless
 *          STEPBUS_HANDLER_OVERRIDE), STEPBUS_ESEALED, STEPBUS_ELIMIT, STEPBUS_ENOMEM,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_register(stepbus_registry *registry,
						     const stepbus_handler_spec *spec,
						     stepbus_error *err);

/**
 * Registers the handlers of a domain, all or none of them.
 *
 * domain   put into each handler; a spec that names another domain is refused.
 * specs    count of them, each of the size that the first one states.
 * threads  any.
 * errors   those of stepbus_registry_register; the message says which spec.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_register_domain(stepbus_registry *registry,
							    const char *domain, size_t domain_len,
							    const stepbus_handler_spec *specs,
							    size_t count, stepbus_error *err);

/** Names a handler: the version may be left out, and the namespace is then "default". */
typedef struct stepbus_handler_key {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *version;
	size_t version_len;
} stepbus_handler_key;

enum {
	STEPBUS_KEY_EXACT = 1, /* this version, which must be said, and no other */
};

/**
 * Unregisters one version of a handler or, without a version, all of them. Steps that run it go on
 * to their end; its destroy runs when the last of them has ended, at once when none runs. An
 * instance of STEPBUS_SCOPE_WORKER holds its handler until the next step, or the stop, of its
 * execution subscriber.
 *
 * threads  any, also from inside that handler.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (with what is registered), STEPBUS_ESEALED,
 *          STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_unregister(stepbus_registry *registry,
						       const stepbus_handler_key *key,
						       stepbus_error *err);

/**
 * Unregisters all handlers.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ESEALED, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_clear(stepbus_registry *registry, stepbus_error *err);

/**
 * Finds the handler for a step. With a version: that one; else the highest registered version below
 * it; else the one marked STEPBUS_HANDLER_DEFAULT. Without a version: the one marked default, else
 * the highest. With STEPBUS_KEY_EXACT: that version or none. Look-ups never wait for each other.
 *
 * out      the caller gives it back with stepbus_handler_unref.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (the message lists what is registered and suggests the
 *          nearest name), STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_resolve(stepbus_registry *registry,
						    const stepbus_handler_key *key,
						    stepbus_handler **out, stepbus_error *err);

/**
 * Takes one more reference to a handler that the caller holds.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_handler_ref(stepbus_handler *handler);

/**
 * Gives a reference back. The last one of an unregistered handler runs its destroy. NULL is
 * accepted.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_handler_unref(stepbus_handler *handler);

/**
 * Gives the definition of a handler, with all defaults filled in.
 *
 * threads  any.
 * errors   none; borrowed, valid as long as the reference.
 * since    0.1
 */
STEPBUS_API const stepbus_handler_spec *stepbus_handler_definition(const stepbus_handler *handler);

/**
 * Tells whether a handler is registered, in this version or, without one, in any: 1 or 0.
 *
 * threads  any.
 * errors   none (0).
 * since    0.1
 */
STEPBUS_API int32_t stepbus_registry_is_registered(stepbus_registry *registry,
						   const stepbus_handler_key *key);

/**
 * Counts the registered handlers, each version as one.
 *
 * threads  any.
 * errors   none (0).
 * since    0.1
 */
STEPBUS_API size_t stepbus_registry_count(stepbus_registry *registry);

/**
 * Makes a registry read-only for good.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_seal(stepbus_registry *registry, stepbus_error *err);

/**
 * Tells whether a registry is sealed: 1 or 0.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API int32_t stepbus_registry_is_sealed(const stepbus_registry *registry);

/** Which handlers a listing shows: those that match every field that is given. */
typedef struct stepbus_handler_filter {
	uint32_t size;
	uint32_t flags;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *domain;
	size_t domain_len;
	const char *capability;
	size_t capability_len;
} stepbus_handler_filter;

/**
 * Lists handlers as a JSON array, sorted by namespace, name and version, each as
 * stepbus_registry_info shows it.
 *
 * filter   may be NULL: all.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_list(stepbus_registry *registry,
						 const stepbus_handler_filter *filter,
						 stepbus_text **out, stepbus_error *err);

/**
 * Describes the handler that a key resolves to as JSON: its definition, registered_at, and runs,
 * failures and latency.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   those of stepbus_registry_resolve.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_info(stepbus_registry *registry,
						 const stepbus_handler_key *key, stepbus_text **out,
						 stepbus_error *err);

/** Receives one handler of stepbus_registry_each; anything but 0 ends the walk. */
typedef int32_t (*stepbus_handler_each_fn)(void *user_data, const stepbus_handler_spec *definition);

/**
 * Calls visit for each handler that was registered when the call began, sorted as in
 * stepbus_registry_list. visit may change the registry.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, or what visit returned.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_each(stepbus_registry *registry,
						 stepbus_handler_each_fn visit, void *user_data,
						 stepbus_error *err);

/**
 * Tells the state of a registry as JSON: total_handlers, namespaces, versions, domains, sealed,
 * thread_safe, created_at, last_registration, and the sums of runs and failures.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_stats(stepbus_registry *registry, stepbus_text **out,
						  stepbus_error *err);

/**
 * Runs the health function of every handler that has one and reports as JSON: status ("healthy" or
 * "unhealthy"), registry_size, and handlers [{name, status, message}].
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_registry_health(stepbus_registry *registry, stepbus_text **out,
						   stepbus_error *err);

/*
 * Running steps: from step.execution.received to step.completion.sent
 * -------------------------------------------------------------------
 */

/** The StepExecutionSubscriber: runs the handler of each step that a bridge announces. */
typedef struct stepbus_execution_subscriber stepbus_execution_subscriber;

/**
 * Takes the result of one attempt in: the only door for results. Returns STEPBUS_OK when it is kept
 * (or was kept before, with the same content), and otherwise why not: STEPBUS_ESTALE,
 * STEPBUS_EALREADY, STEPBUS_ENOTFOUND, STEPBUS_EBUSY, …
 *
 * completion  valid during the call.
 * err         has room for a message.
 */
typedef int32_t (*stepbus_complete_fn)(void *user_data, const stepbus_completion *completion,
				       stepbus_error *err);

/**
 * How an execution subscriber is made.
 *
 * worker_id  1 to 128 bytes, shown in every completion.
 * complete   gets every result, once.
 * user_data  given to complete and destroy.
 * destroy    may be NULL; runs once, after the last call of complete.
 */
typedef struct stepbus_execution_options {
	uint32_t size;
	uint32_t flags;
	const char *worker_id;
	size_t worker_id_len;
	stepbus_complete_fn complete;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_execution_options;

/**
 * Makes an execution subscriber. It is not started.
 *
 * bridge, registry  must outlive it.
 * out      the caller frees it with stepbus_execution_subscriber_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status
stepbus_execution_subscriber_new(stepbus_bridge *bridge, stepbus_registry *registry,
				 const stepbus_execution_options *options,
				 stepbus_execution_subscriber **out, stepbus_error *err);

/**
 * Begins to run the steps that step.execution.received announces, on the publisher's thread:
 * resolves the handler, runs it, turns every failure into a result, hands it to the completion
 * function and, when that took it, publishes step.completion.sent. When it did not, the publisher
 * gets STEPBUS_EDELIVERY.
 *
 * threads  any.
 * errors   those of stepbus_bridge_subscribe.
 * since    0.1
 */
STEPBUS_API stepbus_status
stepbus_execution_subscriber_start(stepbus_execution_subscriber *subscriber, stepbus_error *err);

/**
 * Ends that; when it returns, no handler runs for it on another thread, and the instances that
 * factories made for it are discarded.
 *
 * threads  any, as for stepbus_bridge_unsubscribe.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status
stepbus_execution_subscriber_stop(stepbus_execution_subscriber *subscriber, stepbus_error *err);

/**
 * Tells whether it is started: 1 or 0.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API int32_t
stepbus_execution_subscriber_is_active(const stepbus_execution_subscriber *subscriber);

/**
 * Stops and frees an execution subscriber. NULL is accepted.
 *
 * threads  any, as for stepbus_bridge_unsubscribe.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_execution_subscriber_free(stepbus_execution_subscriber *subscriber);

/*
 * The engine: durable steps
 * -------------------------
 *
 * A step is enqueued once, is run at least once unless it is cancelled, and has exactly one
 * completion accepted. Between attempts and processes it lives in the store.
 */

/** A store with the threads that work on it. Two engines never meet, but in a file they share. */
typedef struct stepbus stepbus;

/** A claimer of steps, with a pool of threads that run their handlers. */
typedef struct stepbus_worker stepbus_worker;

/** How much an acknowledged write survives. */
enum {
	STEPBUS_DURABILITY_MEMORY = 1, /* as long as the engine is open */
	STEPBUS_DURABILITY_PROCESS =
		2,                   /* the end of the process; a power cut may take a last part */
	STEPBUS_DURABILITY_DISK = 3, /* a power cut, where the disk keeps what it confirms */
};

/** The states of a step. docs/STATES.md says how it gets from one to another. */
enum {
	STEPBUS_STEP_WAITING = 1,
	STEPBUS_STEP_SCHEDULED = 2,
	STEPBUS_STEP_READY = 3,
	STEPBUS_STEP_PARKED = 4,
	STEPBUS_STEP_RUNNING = 5,
	STEPBUS_STEP_COMPLETED = 6,
	STEPBUS_STEP_FAILED = 7,
	STEPBUS_STEP_CANCELLED = 8,
	STEPBUS_STEP_QUARANTINED = 9,
};

/**
 * How an engine is opened.
 *
 * config    a JSON object, see docs/CONFIGURATION.md: {"store":"sqlite:jobs.db"}.
 * host      copied; may be NULL.
 * registry  whose handlers its workers run; must outlive it. NULL: it makes one of its own.
 */
typedef struct stepbus_options {
	uint32_t size;
	uint32_t flags;
	const char *config;
	size_t config_len;
	const stepbus_host *host;
	stepbus_registry *registry;
} stepbus_options;

/**
 * Opens an engine on a store, which is made where there is none.
 *
 * out      the caller ends it with stepbus_close.
 * threads  any.
 * errors   STEPBUS_EINVAL (the message names the key and what is allowed), STEPBUS_ENOMEM,
 *          STEPBUS_ESYSTEM, STEPBUS_ESTORE, STEPBUS_EBUSY, STEPBUS_ENOSPACE, STEPBUS_EREADONLY,
 *          STEPBUS_ECORRUPT, STEPBUS_EVERSION, STEPBUS_ENETWORK, STEPBUS_EFORKED (this process was
 *          forked while its parent had a store in a file open).
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_open(const stepbus_options *options, stepbus **out,
					stepbus_error *err);

/**
 * Stops all workers as stepbus_worker_stop does, writes what waits to be written, and refuses new
 * work from then on. Stopping a stopped engine does nothing.
 *
 * timeout_ms  for how long to wait for running handlers; -1: until they return.
 * unfinished  may be NULL; else as in stepbus_worker_stop, of all workers.
 * threads     any, but not from a handler, subscriber or callback of this engine.
 * errors      STEPBUS_EINVAL, STEPBUS_ETIMEDOUT, STEPBUS_EREENTRANT, STEPBUS_EFORKED.
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_stop(stepbus *engine, int64_t timeout_ms,
					stepbus_text **unfinished, stepbus_error *err);

/**
 * Stops and frees an engine and its workers; waits for handlers that run. NULL is accepted. In a
 * forked child nothing is run or freed.
 *
 * threads  any, but not from a handler, subscriber or callback of this engine; no other thread may
 *          use it from then on.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_close(stepbus *engine);

/**
 * Gives the bridge that an engine publishes on, started. Borrowed; it lives as long as the engine.
 *
 * threads  any.
 * errors   none (NULL for NULL).
 * since    0.1
 */
STEPBUS_API stepbus_bridge *stepbus_engine_bridge(stepbus *engine);

/**
 * Gives the registry that an engine's workers resolve handlers in. Borrowed.
 *
 * threads  any.
 * errors   none (NULL for NULL).
 * since    0.1
 */
STEPBUS_API stepbus_registry *stepbus_engine_registry(stepbus *engine);

/**
 * Tells the state of an engine as JSON: store {name, durability, commits, busy, checkpoints,
 * short_checkpoints, wal_bytes, wal_alarms, file_bytes}, writer {groups, operations, waiting},
 * steps by state, workers, and whether it is healthy.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_engine_stats(stepbus *engine, stepbus_text **out,
						stepbus_error *err);

/*
 * Steps
 * -----
 */

enum {
	STEPBUS_UNIQUE_QUEUE = 1,   /* a unique key of another queue is another key */
	STEPBUS_UNIQUE_HANDLER = 2, /* a unique key of another handler is another key */
};

/**
 * One step to enqueue. Zero and (NULL, 0) mean "not said" everywhere but for handler_name.
 *
 * handler_*           what runs it. The version may be empty.
 * queue               1 to 128 bytes as all names; "default" when not said.
 * input               opaque bytes, up to the engine's payload_len_max; content_type says what they
 *                     are ("application/json" when not said).
 * step_config         a JSON object for the handler.
 * tags                comma-separated words, to find it by.
 * caller              who enqueues it, for the handler's permitted_callers.
 * priority            1 to 10,000, the lowest first; 100 when not said.
 * run_at_us, delay_ms when it may run at the earliest: at a time, or after a while. Times in the past
 *                     mean now.
 * *_timeout_ms        waiting to start, one attempt, all attempts; else the handler's.
 * retry_*             with attempt_count_max and jitter_percent: what is said here goes before what the
 *                     handler says, and that before the engine's configuration.
 * concurrency_key     no more steps of this key run at once than the queue's key_concurrency_max.
 * idempotency_key     1 to 256 bytes: there is at most one step of this key as long as the store keeps
 *                     it; enqueueing another gives the one that is there.
 * unique_key          1 to 256 bytes: as long as a step of this key, within unique_scope
 *                     (STEPBUS_UNIQUE_…), is in one of unique_states (bits 1 << STEPBUS_STEP_…; 0: all
 *                     that are not final) and was enqueued in the same period of unique_period_ms (0:
 *                     any time), enqueueing another gives that one.
 */
typedef struct stepbus_step_spec {
	uint32_t size;
	uint32_t flags;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *handler_version;
	size_t handler_version_len;
	const char *queue;
	size_t queue_len;
	const void *input;
	size_t input_len;
	const char *content_type;
	size_t content_type_len;
	const char *step_name;
	size_t step_name_len;
	const char *step_config;
	size_t step_config_len;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *traceparent;
	size_t traceparent_len;
	const char *caller;
	size_t caller_len;
	const char *tags;
	size_t tags_len;
	const void *concurrency_key;
	size_t concurrency_key_len;
	const void *idempotency_key;
	size_t idempotency_key_len;
	const void *unique_key;
	size_t unique_key_len;
	int64_t run_at_us;
	int64_t delay_ms;
	int64_t wait_timeout_ms;
	int64_t attempt_timeout_ms;
	int64_t total_timeout_ms;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	int64_t unique_period_ms;
	uint32_t unique_scope;
	uint32_t unique_states;
	uint32_t retry_kind;
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	int32_t priority;
} stepbus_step_spec;

/**
 * What became of one spec.
 *
 * durability   STEPBUS_DURABILITY_…: what it survives from now on; 0 from stepbus_step_enqueue_in,
 *              where that begins with the host's commit.
 * is_existing  1: a step with its key was there already, and step_id is that one's.
 */
typedef struct stepbus_enqueued {
	uint32_t size;
	uint32_t durability;
	uint8_t step_id[16];
	uint32_t is_existing;
	uint32_t reserved;
} stepbus_enqueued;

/**
 * Enqueues steps, all or none of them, in one transaction, and returns when they are durable.
 * Callers on many threads share a transaction.
 *
 * specs    count of them, each of the size that the first one states; 1 to 100,000.
 * out      NULL, or room for count, with the size set in the first.
 * threads  any.
 * errors   STEPBUS_EINVAL (the message says which spec and field), STEPBUS_ENOTFOUND (strict_handlers:
 *          nobody ever served the handler), STEPBUS_ENOMEM, STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, those
 *          of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_enqueue(stepbus *engine, const stepbus_step_spec *specs,
						size_t count, stepbus_enqueued *out,
						stepbus_error *err);

/**
 * Hears what became of a stepbus_step_enqueue_async: status and err as that of stepbus_step_enqueue,
 * and where it is STEPBUS_OK one of results for each spec; valid during the call. Runs on a thread of
 * the engine, once; must not wait for it long.
 */
typedef void (*stepbus_enqueued_fn)(void *user_data, stepbus_status status,
				    const stepbus_enqueued *results, size_t count,
				    const stepbus_error *err);

/**
 * Enqueues steps like stepbus_step_enqueue, but returns at once; done is called when they are durable.
 *
 * specs    copied.
 * done     may be NULL.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFULL (queue_count_max operations wait already),
 *          STEPBUS_ESHUTDOWN, STEPBUS_EFORKED; then done is not called.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_enqueue_async(stepbus *engine,
						      const stepbus_step_spec *specs, size_t count,
						      stepbus_enqueued_fn done, void *user_data,
						      stepbus_error *err);

struct sqlite3;

/**
 * Enqueues steps inside the caller's own transaction, on the caller's own connection to the engine's
 * database file: they exist when that transaction is committed, and not before. The connection must
 * come from the same SQLite library. Workers of this process are told after the next poll, or at
 * once by stepbus_engine_wake.
 *
 * connection  a sqlite3 *; used on this thread only, during the call.
 * schema      "main", or the name that the file is attached under.
 * threads     any, as far as the connection allows it.
 * errors      those of stepbus_step_enqueue; STEPBUS_ECORRUPT or STEPBUS_EVERSION where that schema is
 *             no stepbus database of this version. After an error nothing was enqueued, and the
 *             transaction goes on.
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_step_enqueue_in(stepbus *engine, struct sqlite3 *connection,
						   const char *schema, size_t schema_len,
						   const stepbus_step_spec *specs, size_t count,
						   stepbus_enqueued *out, stepbus_error *err);

/**
 * Lets an engine look for work now, for hosts that know of some: after a commit that
 * stepbus_step_enqueue_in or plain SQL enqueued in. Engines of other processes are told too.
 *
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_engine_wake(stepbus *engine, stepbus_error *err);

/**
 * Submits the results of attempts: the one completion function. A worker calls it for the handlers
 * that it runs; hosts that run steps in another way call it themselves. Returns when all of them are
 * durable or refused; those of one call share a transaction where they can.
 *
 * completions  count of them, each of the size that the first one states; 1 to 100,000: step_id, token,
 *              outcome (SUCCESS, FAILURE, SNOOZE, CHECKPOINT or RELEASE) and what belongs to it.
 * each         NULL, or room for count: what became of each one.
 * threads      any.
 * errors       the first of these that one of them got, with its message; the others are submitted all
 *              the same. STEPBUS_EALREADY (it was completed with other content; with the same content
 *              the answer is STEPBUS_OK again), STEPBUS_ESTALE (a newer attempt exists, or the lease
 *              was lost), STEPBUS_ETIMEDOUT (its time was over), STEPBUS_ECANCELLED, STEPBUS_ENOTFOUND
 *              (no such step): it is settled. STEPBUS_EBUSY (too much waits to be
 *              written, or the store failed often and is left alone for a moment), STEPBUS_ENOMEM,
 *              those of the store: the step is still the host's, the same call may succeed later.
 *              So it is on STEPBUS_EINVAL (the message says which one). STEPBUS_ESHUTDOWN,
 *              STEPBUS_EFORKED.
 * since        0.1
 */
STEPBUS_API stepbus_status stepbus_complete(stepbus *engine, const stepbus_completion *completions,
					    size_t count, stepbus_status *each, stepbus_error *err);

/** What a step ended with, as stepbus_step_await gives it. */
typedef struct stepbus_outcome stepbus_outcome;

/**
 * Waits until a step is final.
 *
 * step_id     16 bytes.
 * timeout_ms  0: only look; -1: for ever.
 * out         the caller frees it with stepbus_outcome_free.
 * threads     any; from a handler it holds up a thread of the pool.
 * errors      STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_ETIMEDOUT (it is not final yet),
 *             STEPBUS_ENOMEM, STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, those of the store.
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_step_await(stepbus *engine, const uint8_t *step_id,
					      int64_t timeout_ms, stepbus_outcome **out,
					      stepbus_error *err);

/**
 * Reads an outcome as a completion: SUCCESS with the result, FAILURE with the last error, CANCELLED or
 * QUARANTINED. Borrowed; valid until stepbus_outcome_free.
 *
 * threads  any.
 * errors   none (NULL for NULL).
 * since    0.1
 */
STEPBUS_API const stepbus_completion *stepbus_outcome_completion(const stepbus_outcome *outcome);

/**
 * Frees an outcome. NULL is accepted.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_outcome_free(stepbus_outcome *outcome);

/**
 * Cancels a step that is not final. When it returns STEPBUS_OK, no claim of it is to come and no
 * completion of it will be accepted; a handler that runs it hears so from stepbus_context_check.
 *
 * step_id  16 bytes.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_EALREADY (it is final), STEPBUS_ENOMEM,
 *          STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_cancel(stepbus *engine, const uint8_t *step_id,
					       stepbus_error *err);

/**
 * Lets a failed, cancelled or quarantined step run again, with its attempts counted anew.
 *
 * step_id  16 bytes.
 * threads  any.
 * errors   those of stepbus_step_cancel; STEPBUS_EALREADY here means that it is open or completed.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_redrive(stepbus *engine, const uint8_t *step_id,
						stepbus_error *err);

/**
 * Redrives the steps that match a filter, oldest first, in transactions of 1,000.
 *
 * filter   JSON as for stepbus_step_list; states that cannot be redriven are left out.
 * count    how many it was; behind an error, how many were redriven before it, which stay so.
 * threads  any.
 * errors   those of stepbus_step_list and stepbus_step_redrive.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_redrive_all(stepbus *engine, const char *filter, size_t len,
						    uint64_t *count, stepbus_error *err);

/**
 * Describes a step as JSON: all that was said when it was enqueued (its input as base64, or as text
 * where it is UTF-8), state, times, attempts, worker, result and last error.
 *
 * step_id  16 bytes.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_info(stepbus *engine, const uint8_t *step_id,
					     stepbus_text **out, stepbus_error *err);

/**
 * Lists the attempts of a step as a JSON array: number, token, worker, times, outcome, error type,
 * message, code, backtrace, metadata, and whether and when another attempt followed.
 *
 * step_id  16 bytes.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   those of stepbus_step_info.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_attempts(stepbus *engine, const uint8_t *step_id,
						 stepbus_text **out, stepbus_error *err);

/**
 * Lists steps as JSON: {"steps":[…], "cursor":"…"}; the cursor is null on the last page, else it goes
 * into the filter of the next call.
 *
 * filter   JSON, may be empty: state (or an array of them), queue, handler, handler_namespace, tag,
 *          correlation_id, created_from, created_to, order ("newest" or "oldest"), limit (100; at most
 *          1,000), cursor.
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_list(stepbus *engine, const char *filter, size_t len,
					     stepbus_text **out, stepbus_error *err);

/**
 * Counts the steps that match a filter of stepbus_step_list.
 *
 * threads  any.
 * errors   those of stepbus_step_list.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_step_count(stepbus *engine, const char *filter, size_t len,
					      uint64_t *count, stepbus_error *err);

/*
 * Queues and cron
 * ---------------
 */

/**
 * Sets what is said of a queue, which is made where there is none, and leaves the rest as it is.
 *
 * settings JSON: concurrency_max, key_concurrency_max, rate_count, rate_period_ms, paused.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_queue_set(stepbus *engine, const char *name, size_t name_len,
					     const char *settings, size_t settings_len,
					     stepbus_error *err);

/**
 * Lets no step of a queue be claimed any more, by any worker of any process. Running ones go on.
 *
 * threads  any.
 * errors   those of stepbus_queue_set.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_queue_pause(stepbus *engine, const char *name, size_t len,
					       stepbus_error *err);

/**
 * Ends a pause.
 *
 * threads  any.
 * errors   those of stepbus_queue_set.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_queue_resume(stepbus *engine, const char *name, size_t len,
						stepbus_error *err);

/**
 * Lists the queues as a JSON array: name, settings, paused_at, and the number of steps by state.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_queue_list(stepbus *engine, stepbus_text **out,
					      stepbus_error *err);

/**
 * Sets a cron entry, by its name: it enqueues a step at the times of an expression, once for each
 * time however many processes share the store.
 *
 * entry    JSON, see docs/CRON.md: {"name":"nightly","expression":"0 3 * * *","zone":"Europe/Berlin",
 *          "step":{"handler":"report"}}.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOTFOUND (no such time zone), STEPBUS_ENOMEM, STEPBUS_ESHUTDOWN,
 *          STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_cron_set(stepbus *engine, const char *entry, size_t len,
					    stepbus_error *err);

/**
 * Removes a cron entry.
 *
 * threads  any.
 * errors   STEPBUS_ENOTFOUND and those of stepbus_cron_set.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_cron_remove(stepbus *engine, const char *name, size_t len,
					       stepbus_error *err);

/**
 * Lists the cron entries as a JSON array.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_cron_list(stepbus *engine, stepbus_text **out,
					     stepbus_error *err);

/*
 * Workers
 * -------
 */

/**
 * Starts a worker: it claims steps in blocks and runs their handlers on threads of its own, through
 * step.execution.received on the engine's bridge.
 *
 * config   JSON, see docs/CONFIGURATION.md: id, strategy, queues, capabilities, block_size, pool_size,
 *          age_share_percent. May be empty.
 * out      the caller ends it with stepbus_worker_free; stepbus_close does so too.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_ESYSTEM, STEPBUS_ESHUTDOWN, STEPBUS_EFORKED, those
 *          of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_worker_start(stepbus *engine, const char *config, size_t len,
						stepbus_worker **out, stepbus_error *err);

/**
 * Stops a worker: it claims no more, gives back what it has not started, waits for the handlers that
 * run, and writes their results. A handler that does not return in time keeps its lease until it does
 * or the lease runs out; no step is lost.
 *
 * timeout_ms  -1: until the handlers return.
 * unfinished  may be NULL; else, on STEPBUS_ETIMEDOUT, a JSON array of {step_id, token, handler,
 *             running_ms} of the steps whose handlers still run. The caller frees it with
 *             stepbus_text_free. NULL on any other status, and where there is no memory for it.
 * threads     any, but not from a handler, subscriber or callback of its engine.
 * errors      STEPBUS_EINVAL, STEPBUS_ETIMEDOUT (handlers still run), STEPBUS_EREENTRANT,
 *             STEPBUS_EFORKED.
 * since       0.1
 */
STEPBUS_API stepbus_status stepbus_worker_stop(stepbus_worker *worker, int64_t timeout_ms,
					       stepbus_text **unfinished, stepbus_error *err);

/**
 * Stops a worker, waits for its handlers, and frees it. NULL is accepted.
 *
 * threads  as for stepbus_worker_stop, and before stepbus_close.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_worker_free(stepbus_worker *worker);

/**
 * Lists the workers of all processes as a JSON array: id, strategy, queues, capabilities, heartbeat_at,
 * seconds_since_heartbeat, is_active, active_steps, total_processed, completed, failed, success_rate.
 *
 * out      the caller frees it with stepbus_text_free.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM, STEPBUS_EFORKED, those of the store.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_worker_list(stepbus *engine, stepbus_text **out,
					       stepbus_error *err);

/*
 * Pulling steps: the host runs them, on threads of its own
 * --------------------------------------------------------
 *
 * A worker whose configuration says {"pull":true} has no pool. It claims steps of the handlers that
 * were registered with STEPBUS_HANDLER_PULLED, and hands them out to whoever polls it. Each step that
 * was polled is answered once: stepbus_complete, stepbus_checkpoint or stepbus_release. Until then its
 * lease is renewed by the library, whatever the host is doing.
 */

/**
 * Hands out the next steps to run, waiting for the first one at most timeout_ms (0: not at all, -1:
 * until the worker is stopped). step.execution.received is published for each of them, on this thread.
 *
 * events   filled from the front; the size is set in the first of them. What they point at is valid
 *          until the step is answered, with whatever status but STEPBUS_EINVAL, STEPBUS_EBUSY,
 *          STEPBUS_ENOMEM and those of the store, or the worker is freed.
 * count    how many were filled, also on failure.
 * threads  any, many at once; not from inside a callback of the engine.
 * errors   STEPBUS_ETIMEDOUT (none came), STEPBUS_EBUSY (so many steps were polled and never answered
 *          that no more are handed out), STEPBUS_ESHUTDOWN (the worker is being stopped),
 *          STEPBUS_EINVAL (also: it is no pull worker), STEPBUS_EREENTRANT, STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_poll(stepbus_worker *worker, stepbus_step_event *events,
					size_t count_max, int64_t timeout_ms, size_t *count,
					stepbus_error *err);

enum {
	STEPBUS_WAKE_EVENTFD = 1,
	STEPBUS_WAKE_SOCKET = 2, /* one end of a socket pair, for runtimes that refuse eventfds */
};

/**
 * Gives a descriptor that is readable while stepbus_poll has something to say, for event loops: steps
 * to hand out, that a polled step is to stop (ask stepbus_step_is_cancelled of those that run), or
 * that the worker is being stopped. Only stepbus_poll reads it. The first call decides on the kind.
 *
 * fd       borrowed: never read, write or close it; it is closed when the worker is freed.
 * threads  any.
 * errors   STEPBUS_EINVAL (also: no pull worker, or of the other kind before), STEPBUS_ESYSTEM,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_wake_fd(stepbus_worker *worker, int32_t kind, int32_t *fd,
					   stepbus_error *err);

/**
 * Keeps what a polled step has got done, ends this attempt without charging it, and makes the step
 * ready again: whoever claims it next gets the cursor and the partial result, with a new token. What was
 * kept lasts until the next checkpoint or until the step is completed or removed, so that an attempt that
 * fails goes on from it too, as does a step that is redriven. step.checkpoint_yield.sent is published when
 * that is durable. The same as stepbus_complete with STEPBUS_OUTCOME_CHECKPOINT.
 *
 * checkpoint  its step_id and token are those of the event.
 * threads  any.
 * errors   those of stepbus_complete.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_checkpoint(stepbus *engine,
					      const stepbus_checkpoint_spec *checkpoint,
					      stepbus_error *err);

/**
 * Gives a polled step back, as if it had not been handed out: no attempt is charged.
 *
 * step_id  16 bytes.
 * threads  any.
 * errors   those of stepbus_complete.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_release(stepbus *engine, const uint8_t *step_id, uint64_t token,
					   stepbus_error *err);

/**
 * Shows that a polled step is still being worked on, which puts off silence_timeout_ms, and hears
 * whether to go on. Writes nothing: the lease is renewed by the library.
 *
 * step_id  16 bytes.
 * threads  any.
 * errors   STEPBUS_ECANCELLED, STEPBUS_ETIMEDOUT, STEPBUS_ESTALE: stop, the result will be refused.
 *          STEPBUS_EBUSY: the lease ended before it could be renewed (the process was stopped, or the
 *          store did not answer), so another worker may have the step: ask again before doing what
 *          must not be done twice. STEPBUS_ESHUTDOWN: the worker is being stopped, finish soon.
 *          STEPBUS_ENOTFOUND (no such step was polled here, or it was answered), STEPBUS_EINVAL,
 *          STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_heartbeat(stepbus *engine, const uint8_t *step_id,
					     uint64_t token, stepbus_error *err);

/**
 * Tells whether the result of a polled step would be refused, because it was cancelled, its time is
 * over or its lease was lost: 1 or 0 (also of a step that was never polled, or was answered).
 *
 * step_id  16 bytes.
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API int32_t stepbus_step_is_cancelled(stepbus *engine, const uint8_t *step_id,
					      uint64_t token);

/**
 * How well a pull worker's host keeps up.
 *
 * waiting_count   steps claimed for it that nobody has polled.
 * polled_count    steps polled and not answered.
 * pending_count   both together. Their age counts from when the host last took notice of them: since
 *                 the claim, the poll or the last heartbeat.
 * oldest_step_id  all zero where nothing is pending.
 * is_starving     1: starving_count of those that wait are older than starvation_ms.
 */
typedef struct stepbus_dispatch_metrics {
	uint32_t size;
	uint32_t is_starving;
	uint64_t pending_count;
	uint64_t waiting_count;
	uint64_t polled_count;
	uint64_t starving_count;
	int64_t oldest_age_ms;
	int64_t newest_age_ms;
	uint8_t oldest_step_id[16];
} stepbus_dispatch_metrics;

/**
 * Measures that. The engine does so too, every metrics_period_ms, and publishes poller.metrics, and
 * poller.error when steps begin to starve.
 *
 * out      the caller's, with its size set.
 * threads  any.
 * errors   STEPBUS_EINVAL (also: it is no pull worker), STEPBUS_EFORKED.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_worker_metrics(stepbus_worker *worker,
						  stepbus_dispatch_metrics *out,
						  stepbus_error *err);

/*
 * Time for tests
 * --------------
 */

/**
 * A clock that stands still until it is told to go on, for tests of what takes long: delays, retries,
 * attempts, leases, cron. Calls that wait (stepbus_step_await, stepbus_poll, stops) wait by real time.
 * Engines that share a store must share the clock.
 */
typedef struct stepbus_clock stepbus_clock;

/**
 * Makes a clock that shows now_us (microseconds since 1970, UTC; up to the year 8999).
 *
 * out      the caller frees it with stepbus_clock_free, after every object that was lent it.
 * threads  any.
 * errors   STEPBUS_EINVAL, STEPBUS_ENOMEM.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_clock_new(int64_t now_us, stepbus_clock **out,
					     stepbus_error *err);

/**
 * Frees a clock. NULL is accepted.
 *
 * threads  any.
 * errors   none.
 * since    0.1
 */
STEPBUS_API void stepbus_clock_free(stepbus_clock *clock);

/**
 * Lets a host's objects go by a clock: sets now_us, elapsed_ns and, which the two need, user_data. The
 * host may set allocate, log and random only where they need no user_data of their own.
 *
 * host     its size is set; what else it says stays.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_clock_lend(stepbus_clock *clock, stepbus_host *host,
					      stepbus_error *err);

/**
 * Lets a clock go on. Call stepbus_engine_wake afterwards, for engines to see at once what is due.
 *
 * ms       1 to 100 years; 200 years in all.
 * threads  any.
 * errors   STEPBUS_EINVAL.
 * since    0.1
 */
STEPBUS_API stepbus_status stepbus_clock_advance(stepbus_clock *clock, int64_t ms,
						 stepbus_error *err);

#ifdef __cplusplus
}
#endif

#endif
