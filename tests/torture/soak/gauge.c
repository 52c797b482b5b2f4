/* SPDX-License-Identifier: MIT */
#include "torture/soak/gauge.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>

#include "support/process_counts.h"
#include "torture/soak/counted.h"

enum { BYTES_PER_KIB = 1024 };

void gauge_read(gauge *g, const char *database_path)
{
	struct mallinfo2 info = mallinfo2();
	char path[512];
	struct stat log;

	(void)snprintf(path, sizeof path, "%s-wal", database_path);
	*g = (gauge){ .engine_bytes = counted_engine_bytes(),
		      .sqlite_bytes = counted_sqlite_bytes(),
		      .other_bytes = (int64_t)(info.uordblks + info.hblkhd) -
				     counted_engine_bytes() - counted_sqlite_bytes(),
		      .resident_bytes = process_resident_kib() * BYTES_PER_KIB,
		      .descriptor_count = process_descriptor_count(),
		      .thread_count = process_thread_count(),
		      .log_bytes = stat(path, &log) == 0 ? (size_t)log.st_size : 0 };
}
