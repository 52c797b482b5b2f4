/* SPDX-License-Identifier: MIT */
#include "torture/power/network.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic(bool) is_network;

void network_pretend(bool is)
{
	atomic_store(&is_network, is);
}

/* In front of the system's own. */
int statfs(const char *path, struct statfs *out)
{
	long code = syscall(SYS_statfs, path, out);

	if (code == 0 && atomic_load(&is_network))
		out->f_type = 0x6969; /* NFS */
	return (int)code;
}
