/* SPDX-License-Identifier: MIT */
/* Memory runs out while a step is on its way: it completes once all the same, or says that not. */
#include <string.h>

#include "support/cmocka.h"
#include "support/famine.h"
#include "support/spec.h"

/* What the completion function saw. */
typedef struct seen {
	int count;
	int32_t outcome;
	uint32_t is_retryable;
	bool has_message;
} seen;

static seen last;

static int32_t complete(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	(void)user_data;
	(void)err;
	last.count++;
	last.outcome = completion->outcome;
	last.is_retryable = completion->is_retryable;
	last.has_message = completion->error_type_len > 0 && completion->error_message_len > 0;
	return STEPBUS_OK;
}

static stepbus_status new_subscriber(test_famine *f, stepbus_execution_subscriber **out,
				     stepbus_error *err)
{
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker",
						    .worker_id_len = 6,
						    .complete = complete,
						    .user_data = f,
						    .destroy = test_famine_destroy };

	test_famine_give(f);
	return stepbus_execution_subscriber_new(f->bridge, f->registry, &options, out, err);
}

/* Where starting failed, it is not started, and can be. */
static stepbus_status make_and_start(test_famine *f, stepbus_error *err)
{
	stepbus_execution_subscriber *subscriber = NULL;
	stepbus_status status = new_subscriber(f, &subscriber, err);

	if (status == STEPBUS_OK) {
		status = stepbus_execution_subscriber_start(subscriber, err);
		if (stepbus_execution_subscriber_is_active(subscriber) != (status == STEPBUS_OK))
			status = test_famine_breach(err, "half started");
	}
	f->t->fail_at = 0;
	stepbus_execution_subscriber_free(subscriber);
	return status;
}

FAMINE_TEST(making_and_starting_a_subscriber, make_and_start);

static int32_t say_much(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	stepbus_result_set_content_type(result, STEPBUS_TEXT("text/plain"), NULL);
	stepbus_result_set_metadata(result, STEPBUS_TEXT("{\"a\":1}"), NULL);
	stepbus_result_success(result, STEPBUS_TEXT("done"), NULL);
	return 0;
}

static int32_t say_failure(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .retry_after_ms = -1,
					  .message = "no",
					  .message_len = 2,
					  .error_type = "refused",
					  .error_type_len = 7,
					  .error_code = "E1",
					  .error_code_len = 2 };

	(void)instance;
	(void)context;
	stepbus_result_failure(result, &failure, NULL);
	return 0;
}

static int32_t say_nothing(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

static int32_t break_down(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return -1;
}

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	(void)err;
	*instance = user_data;
	return 0;
}

static int32_t refuse_to_create(void *user_data, void **instance, stepbus_error *err)
{
	(void)user_data;
	(void)instance;
	memcpy(err->message, "no", 3);
	return STEPBUS_EBUSY;
}

/* One kind of step, and how it ends when there is memory for it. */
typedef struct kind {
	stepbus_handler_fn call; /* NULL: nobody is registered */
	int32_t (*create)(void *user_data, void **instance, stepbus_error *err);
	uint32_t scope;
	int32_t outcome;
	uint32_t is_retryable;
} kind;

static stepbus_status announce(test_famine *f, stepbus_error *err)
{
	stepbus_step_event step = test_step("mail");

	step.input = "{\"version\":\"v1\"}";
	step.input_len = strlen(step.input);
	return stepbus_bridge_publish_name(f->bridge,
					   STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					   &step, sizeof step, err);
}

static stepbus_status register_kind(test_famine *f, const kind *k, stepbus_error *err)
{
	stepbus_handler_spec spec = test_spec("mail", "v1");

	if (k->call == NULL)
		return STEPBUS_OK;
	spec.flags = STEPBUS_HANDLER_OVERRIDE | STEPBUS_HANDLER_VERSION_FROM_INPUT;
	spec.call = k->call;
	spec.create = k->create;
	spec.instance_scope = k->scope;
	return stepbus_registry_register(f->registry, &spec, err);
}

/* The step was taken: then there is one completion, as it should be or a failure to be retried. */
static stepbus_status judge(const kind *k, stepbus_status published, stepbus_error *err)
{
	bool is_as_wished = last.outcome == k->outcome && last.is_retryable == k->is_retryable;
	bool is_retry = last.outcome == STEPBUS_OUTCOME_FAILURE && last.is_retryable == 1;

	if (published != STEPBUS_OK)
		return test_famine_breach(err, "a step was not completed");
	if (last.count != 1)
		return test_famine_breach(err, "not one completion of one step");
	if (!is_as_wished && !is_retry)
		return test_famine_breach(err, "want of memory made a final failure");
	if (last.outcome == STEPBUS_OUTCOME_FAILURE && !last.has_message)
		return test_famine_breach(err, "a failure that does not say why");
	return STEPBUS_OK;
}

static stepbus_status run_kind(test_famine *f, const kind *k, stepbus_error *err)
{
	stepbus_execution_subscriber *subscriber = NULL;
	stepbus_error published = STEPBUS_ERROR_INIT;
	stepbus_status status = register_kind(f, k, err);

	if (status == STEPBUS_OK)
		status = new_subscriber(f, &subscriber, err);
	if (status == STEPBUS_OK)
		status = stepbus_execution_subscriber_start(subscriber, err);
	if (status == STEPBUS_OK) {
		last = (seen){ 0 };
		status = judge(k, announce(f, &published), err);
	}
	stepbus_execution_subscriber_free(subscriber);
	return status;
}

#define KIND_TEST(name, ...)                                                 \
	static stepbus_status act_##name(test_famine *f, stepbus_error *err) \
	{                                                                    \
		static const kind k = { __VA_ARGS__ };                       \
		return run_kind(f, &k, err);                                 \
	}                                                                    \
	FAMINE_SURVIVAL(name, act_##name)

KIND_TEST(a_step_that_succeeds, say_much, NULL, 0, STEPBUS_OUTCOME_SUCCESS, 0);
KIND_TEST(a_step_that_fails, say_failure, NULL, 0, STEPBUS_OUTCOME_FAILURE, 0);
KIND_TEST(a_step_whose_handler_says_nothing, say_nothing, NULL, 0, STEPBUS_OUTCOME_FAILURE, 0);
KIND_TEST(a_step_whose_host_fails, break_down, NULL, 0, STEPBUS_OUTCOME_FAILURE, 1);
KIND_TEST(a_step_without_a_handler, NULL, NULL, 0, STEPBUS_OUTCOME_FAILURE, 0);
KIND_TEST(a_step_with_its_own_instance, say_much, create, STEPBUS_SCOPE_STEP,
	  STEPBUS_OUTCOME_SUCCESS, 0);
KIND_TEST(a_step_with_a_shared_instance, say_much, create, STEPBUS_SCOPE_WORKER,
	  STEPBUS_OUTCOME_SUCCESS, 0);
KIND_TEST(a_step_whose_factory_fails, say_much, refuse_to_create, STEPBUS_SCOPE_WORKER,
	  STEPBUS_OUTCOME_FAILURE, 1);

/* A completion function that refuses is told of in the log, if there is memory for it. */
static int32_t refuse_completion(void *user_data, const stepbus_completion *completion,
				 stepbus_error *err)
{
	(void)user_data;
	(void)completion;
	(void)err;
	last.count++;
	return STEPBUS_ESTALE;
}

static stepbus_status run_refused(test_famine *f, stepbus_error *err)
{
	static const kind k = { say_much, NULL, 0, STEPBUS_OUTCOME_SUCCESS, 0 };
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker",
						    .worker_id_len = 6,
						    .complete = refuse_completion };
	stepbus_execution_subscriber *subscriber = NULL;
	stepbus_error published = STEPBUS_ERROR_INIT;
	stepbus_status status = register_kind(f, &k, err);

	if (status == STEPBUS_OK)
		status = stepbus_execution_subscriber_new(f->bridge, f->registry, &options,
							  &subscriber, err);
	if (status == STEPBUS_OK)
		status = stepbus_execution_subscriber_start(subscriber, err);
	last = (seen){ 0 };
	if (status == STEPBUS_OK &&
	    (announce(f, &published) != STEPBUS_EDELIVERY || last.count != 1))
		status = test_famine_breach(err, "the refusal did not reach the publisher");
	stepbus_execution_subscriber_free(subscriber);
	return status;
}

FAMINE_SURVIVAL(a_completion_that_is_refused, run_refused);

/* A step for a queued subscriber is copied whole, or refused. */
static int32_t look_at(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_step_event *step = NULL;

	(void)user_data;
	(void)event_id;
	if (stepbus_payload_step_event(payload, len, &step, NULL) != STEPBUS_OK)
		return STEPBUS_EINVAL;
	last.count += step->handler_name_len == 4 && memcmp(step->handler_name, "mail", 4) == 0;
	return STEPBUS_OK;
}

static stepbus_status run_queued(test_famine *f, stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
						    .deliver = look_at };
	uint64_t id = 0;
	stepbus_status published;
	stepbus_status status = stepbus_bridge_subscribe(
		f->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &subscription, &id,
		err);

	if (status != STEPBUS_OK)
		return status;
	last = (seen){ 0 };
	published = announce(f, err);
	f->t->fail_at = 0;
	if (stepbus_bridge_flush(f->bridge, -1, NULL) != STEPBUS_OK ||
	    last.count != (published == STEPBUS_OK))
		status = test_famine_breach(err, "what was delivered is not what was taken");
	stepbus_bridge_unsubscribe(f->bridge, id, NULL);
	return status;
}

FAMINE_SURVIVAL(a_step_for_a_queue, run_queued);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_and_starting_a_subscriber),
		cmocka_unit_test(a_step_that_succeeds),
		cmocka_unit_test(a_step_that_fails),
		cmocka_unit_test(a_step_whose_handler_says_nothing),
		cmocka_unit_test(a_step_whose_host_fails),
		cmocka_unit_test(a_step_without_a_handler),
		cmocka_unit_test(a_step_with_its_own_instance),
		cmocka_unit_test(a_step_with_a_shared_instance),
		cmocka_unit_test(a_step_whose_factory_fails),
		cmocka_unit_test(a_completion_that_is_refused),
		cmocka_unit_test(a_step_for_a_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
