/* SPDX-License-Identifier: MIT */
/* Runs a producer in this process and a worker in another one, as users of a server do. */
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_READY, READY, REFUSED };

/* Seen by both processes; the clock is the same in both. */
typedef struct board {
	_Atomic int state;
	_Atomic uint64_t finished_ns;
} board;

static board *board_new(void)
{
	board *shared = mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		bench_die("cannot share memory with a worker");
	return shared;
}

static void work(const server_pair *pair, const durable_plan *plan, size_t count, board *shared)
{
	void *connection = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	connection = pair->connect(plan, true);
	atomic_store(&shared->state, connection != NULL ? READY : REFUSED);
	if (connection == NULL)
		_exit(1);
	pair->consume(connection, count);
	atomic_store(&shared->finished_ns, bench_now_ns());
	_exit(0);
}

static bool wait_ready(board *shared, pid_t worker)
{
	int status = 0;

	while (atomic_load(&shared->state) == NOT_READY) {
		if (waitpid(worker, &status, WNOHANG) == worker)
			return false;
		usleep(1000);
	}
	return atomic_load(&shared->state) == READY;
}

static double run(const server_pair *pair, void *connection, size_t count, board *shared,
		  pid_t worker)
{
	uint64_t start_ns = bench_now_ns();
	size_t left = 0;
	int status = 0;

	pair->produce(connection, count);
	if (waitpid(worker, &status, 0) != worker || status != 0)
		bench_die("a worker did not finish its %zu steps", count);
	left = pair->left(connection);
	if (left != 0)
		bench_die("%zu of %zu steps are left", left, count);
	return durable_rate(count, atomic_load(&shared->finished_ns) - start_ns);
}

double server_pair_run(const server_pair *pair, const durable_plan *plan, size_t count)
{
	void *connection = pair->connect(plan, false);
	board *shared = NULL;
	double rate = -1;
	pid_t worker = -1;

	if (connection == NULL)
		return -1;
	shared = board_new();
	worker = fork();
	if (worker == 0)
		work(pair, plan, count, shared);
	if (worker < 0)
		bench_die("cannot start a worker");
	if (wait_ready(shared, worker))
		rate = run(pair, connection, count, shared, worker);
	pair->disconnect(connection);
	munmap(shared, sizeof(board));
	return rate;
}
