/* SPDX-License-Identifier: MIT */
#include "torture/soak/gauge.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>

#include "support/process_counts.h"

enum { BYTES_PER_KIB = 1024 };

void gauge_read(gauge *g, const char *database_path)
{
	struct mallinfo2 info = mallinfo2();
	char path[512];
	struct stat log;

	(void)snprintf(path, sizeof path, "%s-wal", database_path);
	*g = (gauge){ .in_use_bytes = info.uordblks + info.hblkhd,
		      .resident_bytes = process_resident_kib() * BYTES_PER_KIB,
		      .descriptor_count = process_descriptor_count(),
		      .thread_count = process_thread_count(),
		      .log_bytes = stat(path, &log) == 0 ? (size_t)log.st_size : 0 };
}
