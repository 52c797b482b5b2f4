// SPDX-License-Identifier: MIT
// A C++ host that runs its steps itself: what fails throws, what is opened closes itself.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <stepbus.h>

struct Error : std::runtime_error {
	stepbus_status status;
	Error(stepbus_status status, const char *message)
		: std::runtime_error(std::string(stepbus_status_name(status)) + ": " + message),
		  status(status)
	{
	}
};

// Calls with a stepbus_error as the last argument, and throws what it says.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	if (auto status = function(arguments..., &err))
		throw Error(status, err.message);
}

template <auto function> struct Freer {
	template <typename T> void operator()(T *object) const { function(object); }
};
using Engine = std::unique_ptr<stepbus, Freer<stepbus_close>>;
using Worker = std::unique_ptr<stepbus_worker, Freer<stepbus_worker_free>>;

template <typename T> T sized()
{
	T given{};
	given.size = sizeof given;
	return given;
}

Engine open(const std::string &config)
{
	auto options = sized<stepbus_options>();
	options.config = config.data();
	options.config_len = config.size();
	stepbus *engine;
	call(stepbus_open, &options, &engine);
	return Engine(engine);
}

Worker start(const Engine &engine, const std::string &config)
{
	stepbus_worker *worker;
	call(stepbus_worker_start, engine.get(), config.data(), config.size(), &worker);
	return Worker(worker);
}

// Each step succeeds, and its result is its input.
stepbus_completion run(const stepbus_step_event &step)
{
	auto completion = sized<stepbus_completion>();
	std::copy(step.step_id, step.step_id + 16, completion.step_id);
	completion.token = step.token;
	completion.outcome = STEPBUS_OUTCOME_SUCCESS;
	completion.retry_after_ms = -1;
	completion.result = step.input;
	completion.result_len = step.input_len;
	return completion;
}

int main()
try {
	const std::string name = "echo", input = "hello", completed = R"({"state":"completed"})";
	auto engine = open(R"({"store":"memory:"})");

	auto handler = sized<stepbus_handler_spec>();
	handler.flags = STEPBUS_HANDLER_PULLED;
	handler.name = name.data();
	handler.name_len = name.size();
	call(stepbus_registry_register, stepbus_engine_registry(engine.get()), &handler);

	auto spec = sized<stepbus_step_spec>();
	spec.handler_name = name.data();
	spec.handler_name_len = name.size();
	spec.input = input.data();
	spec.input_len = input.size();
	std::vector<stepbus_step_spec> specs(1000, spec);
	call(stepbus_step_enqueue, engine.get(), specs.data(), specs.size(), nullptr);

	auto worker = start(engine, R"({"pull":true})");
	std::vector<stepbus_step_event> steps(256, sized<stepbus_step_event>());
	std::vector<stepbus_completion> completions;
	for (size_t done = 0, count; done < specs.size(); done += count) {
		call(stepbus_poll, worker.get(), steps.data(), steps.size(), -1, &count);
		completions.clear();
		std::transform(steps.begin(), steps.begin() + count, std::back_inserter(completions), run);
		call(stepbus_complete, engine.get(), completions.data(), count, nullptr);
	}

	uint64_t count;
	call(stepbus_step_count, engine.get(), completed.data(), completed.size(), &count);
	std::printf("%zu of %zu steps are completed\n", size_t(count), specs.size());
	return count == specs.size() ? 0 : 1;
} catch (const Error &error) {
	std::fprintf(stderr, "%s\n", error.what());
	return 1;
}
