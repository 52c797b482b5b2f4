/* SPDX-License-Identifier: MIT */
/*
 * An old host: built from its own frozen declarations, where structs are as long as they were then, and
 * run with the library of today (tests/scripts/old_host.sh). Each struct that it hands over ends where
 * its memory ends, so that reading a newer field behind it ends the program.
 */
#define _GNU_SOURCE
#include "abi/declarations_0_1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT(literal) (literal), (sizeof(literal) - 1)
/* A copy of a struct at the edge of what may be read. */
#define EDGE(of) at_edge(&(of), sizeof(of))

static stepbus_error err = { .size = sizeof err };
static int run_count;
static int heard_count;
static int completed_count;

static void need(int is_met, const char *what)
{
	if (is_met)
		return;
	fprintf(stderr, "an old host failed: %s: %s\n", what, err.message);
	exit(1);
}

static void ok(stepbus_status status, const char *what)
{
	need(status == STEPBUS_OK, what);
}

/* Never given back: it is little, and the program is short. */
static void *at_edge(const void *given, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *block =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(block != MAP_FAILED && mprotect(block + page, page, PROT_NONE) == 0, "memory");
	return memcpy(block + page - len, given, len);
}

/* Fails first, with a failure of the old size, and succeeds then. */
static int32_t run(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	stepbus_failure failure = { .size = sizeof failure,
				    .is_retryable = 1,
				    .retry_after_ms = 0,
				    .message = "not yet",
				    .message_len = 7 };

	(void)instance;
	need(step->size >= sizeof *step, "a step event is at least as long as it was");
	run_count++;
	if (step->retry_count == 0)
		return stepbus_result_failure(result, EDGE(failure), NULL);
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *completion;

	(void)user_data, (void)event_id;
	ok(stepbus_payload_completion(payload, len, &completion, &err), "a completion is read");
	need(completion->handler_name_len >= 4, "a completion names its handler");
	heard_count++;
	return STEPBUS_OK;
}

static stepbus_handler_spec work_handler(void)
{
	return (stepbus_handler_spec){ .size = sizeof(stepbus_handler_spec),
				       .name = "work",
				       .name_len = 4,
				       .retry_kind = STEPBUS_RETRY_FIXED,
				       .retry_base_ms = 1,
				       .call = run };
}

static stepbus *open_engine(stepbus_registry *registry)
{
	static const char config[] = "{\"store\":\"memory:\"}";
	stepbus_host host = { .size = sizeof host };
	stepbus_options options = { .size = sizeof options,
				    .config = config,
				    .config_len = sizeof config - 1,
				    .registry = registry };
	stepbus *engine;

	options.host = EDGE(host);
	ok(stepbus_open(EDGE(options), &engine, &err), "an engine opens");
	return engine;
}

static void run_a_step(stepbus *engine)
{
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = "work",
				   .handler_name_len = 4,
				   .input = "old",
				   .input_len = 3 };
	stepbus_enqueued enqueued = { .size = sizeof enqueued };
	stepbus_enqueued *out = EDGE(enqueued);
	const stepbus_completion *end;
	stepbus_outcome *outcome;
	stepbus_worker *worker;

	ok(stepbus_worker_start(engine, NULL, 0, &worker, &err), "a worker starts");
	ok(stepbus_step_enqueue(engine, EDGE(spec), 1, out, &err), "a step is enqueued");
	need(out->durability == STEPBUS_DURABILITY_MEMORY, "it says what it survives");
	ok(stepbus_step_await(engine, out->step_id, -1, &outcome, &err), "a step ends");
	end = stepbus_outcome_completion(outcome);
	need(end->outcome == STEPBUS_OUTCOME_SUCCESS && end->result_len == 3 &&
		     memcmp(end->result, "old", 3) == 0,
	     "it ends with its result");
	need(run_count == 2, "a failure of the old size is one");
	stepbus_outcome_free(outcome);
	ok(stepbus_worker_stop(worker, -1, NULL, &err), "a worker stops");
	stepbus_worker_free(worker);
	need(heard_count >= 1, "an old subscriber hears of it");
}

/* Steps are handed out into events of the old length, and answered with completions of that. */
static void pull_steps(stepbus *engine)
{
	stepbus_handler_spec handler = { .size = sizeof handler,
					 .flags = STEPBUS_HANDLER_PULLED,
					 .name = "pulled",
					 .name_len = 6 };
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = "pulled",
				   .handler_name_len = 6,
				   .input = "old",
				   .input_len = 3 };
	stepbus_step_spec specs[] = { spec, spec };
	stepbus_step_event events[] = { { .size = sizeof *events }, { .size = 0 } };
	stepbus_step_event *polled = EDGE(events);
	stepbus_completion completions[2];
	stepbus_worker *worker;
	size_t count, done = 0;

	ok(stepbus_registry_register(stepbus_engine_registry(engine), EDGE(handler), &err),
	   "a pulled handler is registered");
	ok(stepbus_worker_start(engine, TEXT("{\"pull\":true}"), &worker, &err),
	   "a pull worker starts");
	ok(stepbus_step_enqueue(engine, EDGE(specs), 2, NULL, &err), "steps are enqueued");
	for (; done < 2; done += count) {
		ok(stepbus_poll(worker, polled, 2 - done, -1, &count, &err), "steps are polled");
		for (size_t i = 0; i < count; i++) {
			need(polled[i].input_len == 3, "a polled step has its input");
			completions[i] = (stepbus_completion){ .size = sizeof *completions,
							       .outcome = STEPBUS_OUTCOME_SUCCESS,
							       .token = polled[i].token,
							       .retry_after_ms = -1 };
			memcpy(completions[i].step_id, polled[i].step_id, 16);
		}
		ok(stepbus_complete(engine, at_edge(completions, count * sizeof *completions),
				    count, NULL, &err),
		   "polled steps are completed");
	}
	stepbus_worker_free(worker);
}

static void use_an_engine(void)
{
	stepbus_subscription subscription = { .size = sizeof subscription, .deliver = hear };
	stepbus_registry_options options = { .size = sizeof options };
	stepbus_handler_spec handler = work_handler();
	stepbus_registry *registry;
	stepbus *engine;

	ok(stepbus_registry_new(EDGE(options), &registry, &err), "a registry is made");
	ok(stepbus_registry_register(registry, EDGE(handler), &err), "a handler is registered");
	engine = open_engine(registry);
	ok(stepbus_bridge_subscribe(stepbus_engine_bridge(engine), TEXT("step.completion.sent"),
				    EDGE(subscription), NULL, &err),
	   "events are subscribed to");
	run_a_step(engine);
	pull_steps(engine);
	stepbus_close(engine);
	stepbus_registry_free(registry);
}

static void use_the_registry(void)
{
	stepbus_handler_spec handler = work_handler();
	stepbus_handler_key key = { .size = sizeof key, .name = "work", .name_len = 4 };
	stepbus_handler_filter filter = { .size = sizeof filter };
	stepbus_registry *registry;
	stepbus_handler *found;
	stepbus_text *text;

	ok(stepbus_registry_new(NULL, &registry, &err), "a registry is made");
	ok(stepbus_registry_register(registry, EDGE(handler), &err), "a handler is registered");
	ok(stepbus_registry_resolve(registry, EDGE(key), &found, &err), "a handler is found");
	need(stepbus_handler_definition(found)->size >= sizeof handler, "it has a definition");
	need(stepbus_handler_definition(found)->call == run, "it has its call");
	stepbus_handler_unref(found);
	ok(stepbus_registry_list(registry, EDGE(filter), &text, &err), "handlers are listed");
	need(strstr(stepbus_text_data(text), "\"work\"") != NULL, "it is in the list");
	stepbus_text_free(text);
	stepbus_registry_free(registry);
}

static int32_t complete(void *user_data, const stepbus_completion *completion, stepbus_error *why)
{
	(void)user_data, (void)why;
	need(completion->size >= sizeof *completion, "a completion is at least as long as it was");
	completed_count++;
	return STEPBUS_OK;
}

static void publish(stepbus_bridge *bridge)
{
	stepbus_step_event event = { .size = sizeof event,
				     .token = 1,
				     .handler_name = "work",
				     .handler_name_len = 4,
				     .retry_count = 1,
				     .input = "old",
				     .input_len = 3 };
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_SUCCESS,
					  .handler_name = "work",
					  .handler_name_len = 4,
					  .retry_after_ms = -1 };
	const stepbus_completion *read;

	ok(stepbus_bridge_publish_name(bridge, TEXT("step.execution.received"), EDGE(event),
				       sizeof event, &err),
	   "a step event is announced");
	need(completed_count == 1, "the announced step is run");
	ok(stepbus_payload_completion(EDGE(completion), sizeof completion, &read, &err),
	   "a completion of the host's own is read");
}

/* The bus and the registry without an engine: the host announces the steps itself. */
static void use_the_bridge(void)
{
	stepbus_bridge_options options = { .size = sizeof options };
	stepbus_event_info info = { .size = sizeof info, .name = "old.event", .name_len = 9 };
	stepbus_execution_options execution = { .size = sizeof execution,
						.worker_id = "old",
						.worker_id_len = 3,
						.complete = complete };
	stepbus_handler_spec handler = work_handler();
	stepbus_execution_subscriber *subscriber;
	stepbus_registry *registry;
	stepbus_bridge *bridge;

	ok(stepbus_bridge_new(EDGE(options), &bridge, &err), "a bridge is made");
	ok(stepbus_bridge_start(bridge, &err), "a bridge starts");
	ok(stepbus_bridge_declare(bridge, EDGE(info), NULL, &err), "an event is declared");
	ok(stepbus_registry_new(NULL, &registry, &err), "a registry is made");
	ok(stepbus_registry_register(registry, EDGE(handler), &err), "a handler is registered");
	ok(stepbus_execution_subscriber_new(bridge, registry, EDGE(execution), &subscriber, &err),
	   "an execution subscriber is made");
	ok(stepbus_execution_subscriber_start(subscriber, &err), "an execution subscriber starts");
	publish(bridge);
	stepbus_execution_subscriber_free(subscriber);
	stepbus_bridge_free(bridge);
	stepbus_registry_free(registry);
}

int main(void)
{
	need(stepbus_abi_version() == STEPBUS_ABI_VERSION, "the ABI is the one it was built for");
	use_an_engine();
	use_the_registry();
	use_the_bridge();
	printf("old_host: a host of 0.1 runs with the library of %s\n", stepbus_version());
	return 0;
}
