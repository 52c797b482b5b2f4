/* SPDX-License-Identifier: MIT */
/*
 * Steps that outlive their process. A worker process enqueues ten pictures to be shrunk and begins
 * with them; in the middle it is killed, as by kill -9. A second one is started: it enqueues the same
 * ten again (each has an idempotency key, so nothing comes twice), takes over what the first one left,
 * and finishes. Then the table of all steps is printed.
 *
 * durable         the demonstration, in a folder of its own that is removed at the end
 * durable FILE    one worker process on that database, until all is done
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <stepbus.h>

enum { PICTURE_COUNT = 10, KILL_AFTER = 4, PATH_LEN = 256, CONFIG_LEN = 512, KEY_LEN = 32 };

static void die(const char *what, const stepbus_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", what, stepbus_status_name(err->code), err->message);
	exit(1);
}

/* The work: takes a while, and says which attempt it is. */
static int32_t shrink(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const struct timespec work = { .tv_nsec = 80000000 };

	(void)instance;
	nanosleep(&work, NULL);
	printf("  process %d  %.*s shrunk%s\n", (int)getpid(), (int)step->input_len,
	       (const char *)step->input,
	       stepbus_context_is_retry(context) ? ", at the second try" : "");
	fflush(stdout);
	stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static stepbus *open_engine(const char *path)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_options options = { .size = sizeof options };
	char config[CONFIG_LEN];
	stepbus *engine = NULL;

	/* Short leases, so that the demonstration need not wait for half a minute. */
	snprintf(config, sizeof config,
		 "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":200,"
		 "\"retry\":{\"base_ms\":10}}",
		 path);
	options.config = config;
	options.config_len = strlen(config);
	if (stepbus_open(&options, &engine, &err) != STEPBUS_OK)
		die("open", &err);
	return engine;
}

/* All ten in one transaction; those that are there already are only named. */
static void enqueue(stepbus *engine, stepbus_enqueued *enqueued)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_spec specs[PICTURE_COUNT];
	char keys[PICTURE_COUNT][KEY_LEN];

	memset(specs, 0, sizeof specs);
	for (int i = 0; i < PICTURE_COUNT; i++) {
		snprintf(keys[i], KEY_LEN, "picture %d", i + 1);
		specs[i].size = sizeof specs[i];
		specs[i].handler_name = "shrink";
		specs[i].handler_name_len = strlen("shrink");
		specs[i].input = keys[i];
		specs[i].input_len = strlen(keys[i]);
		specs[i].content_type = "text/plain";
		specs[i].content_type_len = strlen("text/plain");
		specs[i].idempotency_key = keys[i];
		specs[i].idempotency_key_len = strlen(keys[i]);
		enqueued[i].size = sizeof enqueued[i];
	}
	if (stepbus_step_enqueue(engine, specs, PICTURE_COUNT, enqueued, &err) != STEPBUS_OK)
		die("enqueue", &err);
}

static void register_handler(stepbus *engine)
{
	const stepbus_handler_spec shrinker = {
		.size = sizeof shrinker, .name = "shrink", .name_len = 6, .call = shrink
	};
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (stepbus_registry_register(stepbus_engine_registry(engine), &shrinker, &err) !=
	    STEPBUS_OK)
		die("register", &err);
}

/* One worker process, from start to end; or until it is killed. */
static int work(const char *path)
{
	stepbus *engine = open_engine(path);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_enqueued enqueued[PICTURE_COUNT];
	stepbus_worker *worker = NULL;
	int existing = 0;

	register_handler(engine);
	enqueue(engine, enqueued);
	for (int i = 0; i < PICTURE_COUNT; i++)
		existing += enqueued[i].is_existing != 0;
	printf("process %d enqueues %d steps: %d are new\n", (int)getpid(), PICTURE_COUNT,
	       PICTURE_COUNT - existing);
	fflush(stdout);
	if (stepbus_worker_start(engine, STEPBUS_TEXT("{\"pool_size\":2}"), &worker, &err) !=
	    STEPBUS_OK)
		die("start a worker", &err);
	for (int i = 0; i < PICTURE_COUNT; i++) {
		stepbus_outcome *outcome = NULL;

		if (stepbus_step_await(engine, enqueued[i].step_id, -1, &outcome, &err) !=
		    STEPBUS_OK)
			die("await", &err);
		stepbus_outcome_free(outcome);
	}
	stepbus_worker_free(worker);
	stepbus_close(engine);
	return 0;
}

static pid_t start(const char *program, const char *path, int *output)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) != 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(program, program, path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

/* Shows what a worker process says; kills it after so many lines, where that is not 0. */
static void watch(pid_t pid, int output, int kill_after)
{
	FILE *lines = fdopen(output, "r");
	char line[PATH_LEN];
	int count = 0, status;

	while (lines != NULL && fgets(line, sizeof line, lines) != NULL) {
		fputs(line, stdout);
		if (kill_after != 0 && ++count == kill_after) {
			printf("process %d is killed in the middle of its work\n", (int)pid);
			kill(pid, SIGKILL);
			break;
		}
	}
	if (lines != NULL)
		fclose(lines);
	waitpid(pid, &status, 0);
}

static int64_t number_of(stepbus_text *info, const char *field)
{
	int64_t value = -1;

	stepbus_payload_int(stepbus_text_data(info), stepbus_text_len(info), field, strlen(field),
			    &value, NULL);
	return value;
}

static void print_row(stepbus *engine, const uint8_t *step_id)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *info = NULL, *state = NULL, *result = NULL;
	char id[37];

	if (stepbus_step_info(engine, step_id, &info, &err) != STEPBUS_OK)
		die("look at a step", &err);
	stepbus_id_format(step_id, id, NULL);
	stepbus_payload_text(stepbus_text_data(info), stepbus_text_len(info), STEPBUS_TEXT("state"),
			     &state, NULL);
	stepbus_payload_text(stepbus_text_data(info), stepbus_text_len(info),
			     STEPBUS_TEXT("result"), &result, NULL);
	printf("%s  %-10s  %8lld  %7lld  %s\n", id, stepbus_text_data(state),
	       (long long)number_of(info, "attempt_count"),
	       (long long)number_of(info, "crash_count"), stepbus_text_data(result));
	stepbus_text_free(result);
	stepbus_text_free(state);
	stepbus_text_free(info);
}

static void print_table(const char *path)
{
	stepbus *engine = open_engine(path);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_enqueued enqueued[PICTURE_COUNT];
	uint64_t completed = 0, all = 0;

	enqueue(engine, enqueued); /* the keys name the steps that are there */
	printf("\n%-36s  %-10s  %s  %s  %s\n", "step", "state", "attempts", "crashes", "result");
	for (int i = 0; i < PICTURE_COUNT; i++)
		print_row(engine, enqueued[i].step_id);
	if (stepbus_step_count(engine, NULL, 0, &all, &err) != STEPBUS_OK ||
	    stepbus_step_count(engine, STEPBUS_TEXT("{\"state\":\"completed\"}"), &completed,
			       &err) != STEPBUS_OK)
		die("count", &err);
	printf("%llu of %llu steps are completed, each once\n", (unsigned long long)completed,
	       (unsigned long long)all);
	stepbus_close(engine);
	if (completed != PICTURE_COUNT || all != PICTURE_COUNT)
		exit(1);
}

static void remove_folder(const char *folder)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/stepbus-demo-XXXXXX";
	char path[PATH_LEN];
	int output;
	pid_t pid;

	if (argc > 1)
		return work(argv[1]);
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/jobs.db", folder);
	pid = start(argv[0], path, &output);
	watch(pid, output, 1 + KILL_AFTER);
	pid = start(argv[0], path, &output);
	watch(pid, output, 0);
	print_table(path);
	remove_folder(folder);
	return 0;
}
