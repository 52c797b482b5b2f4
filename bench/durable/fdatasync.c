/* SPDX-License-Identifier: MIT */
/* What the disk itself takes for one small durable write, and who stands in for peers not there. */
#include "bench/durable/peers.h"

#include "bench/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE_LEN = 4096, PAGE_COUNT = 256 };

double peer_absent(const durable_plan *plan, size_t count)
{
	(void)plan;
	(void)count;
	return -1;
}

static void write_page(int file, size_t index)
{
	char page[PAGE_LEN] = { (char)index };

	if (pwrite(file, page, PAGE_LEN, (off_t)(index % PAGE_COUNT) * PAGE_LEN) != PAGE_LEN)
		bench_die("cannot write to the disk that is measured");
}

double peer_fdatasync(const durable_plan *plan, size_t count)
{
	double *elapsed_us = bench_alloc(count, sizeof(double));
	int file = open(durable_path("fdatasync"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	double median = 0;

	(void)plan;
	for (size_t i = 0; i < PAGE_COUNT; i++)
		write_page(file, i);
	fsync(file);
	for (size_t i = 0; i < count; i++) {
		uint64_t start_ns = bench_now_ns();

		write_page(file, i);
		if (fdatasync(file) != 0)
			bench_die("cannot flush the disk that is measured");
		elapsed_us[i] = (double)(bench_now_ns() - start_ns) / 1000;
	}
	close(file);
	median = durable_median(elapsed_us, count);
	free(elapsed_us);
	return median;
}
