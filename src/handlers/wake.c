/* SPDX-License-Identifier: MIT */
#include "handlers/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DRAIN_LEN = 64 };

void sb_wake_init(sb_wake *wake)
{
	*wake = (sb_wake){ .read_fd = -1 };
	atomic_init(&wake->write_fd, -1);
}

void sb_wake_free(sb_wake *wake)
{
	int write_fd = atomic_load(&wake->write_fd);

	if (write_fd >= 0 && write_fd != wake->read_fd)
		close(write_fd);
	if (wake->read_fd >= 0)
		close(wake->read_fd);
}

static bool make(int32_t kind, int fds[2])
{
	if (kind == STEPBUS_WAKE_SOCKET)
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0;
	fds[0] = fds[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return fds[0] >= 0;
}

stepbus_status sb_wake_open(sb_wake *wake, int32_t kind, int32_t *fd, stepbus_error *err)
{
	int fds[2];

	if (wake->kind != 0 && wake->kind != kind)
		return sb_fail(
			err, STEPBUS_EINVAL,
			"the worker's wake descriptor was asked for as the other kind before");
	if (wake->kind == 0) {
		if (!make(kind, fds))
			return sb_fail(err, STEPBUS_ESYSTEM,
				       "cannot make a wake descriptor (errno %d)", errno);
		wake->kind = kind;
		wake->read_fd = fds[0];
		atomic_store(&wake->write_fd, fds[1]);
	}
	*fd = wake->read_fd;
	return STEPBUS_OK;
}

/* Where it is full, it is readable. */
static void put(const sb_wake *wake)
{
	static const uint64_t one = 1;
	int fd = atomic_load(&wake->write_fd);

	if (wake->kind == STEPBUS_WAKE_SOCKET)
		(void)!send(fd, &one, 1, MSG_NOSIGNAL);
	else
		(void)!write(fd, &one, sizeof one);
}

void sb_wake_signal(sb_wake *wake)
{
	if (wake->kind == 0 || wake->is_signalled)
		return;
	wake->is_signalled = true;
	put(wake);
}

void sb_wake_drain(sb_wake *wake)
{
	uint8_t bytes[DRAIN_LEN];

	if (!wake->is_signalled && atomic_load(&wake->alerts) == 0)
		return;
	/* Before it is emptied: what comes meanwhile is at worst one wake too many. */
	atomic_store(&wake->alerts, 0);
	wake->is_signalled = false;
	while (read(wake->read_fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
		;
}

void sb_wake_alert(sb_wake *wake)
{
	if (atomic_load(&wake->write_fd) < 0)
		return;
	/* Noted behind the write: whoever drains it in between looks once more, and finds nothing. */
	put(wake);
	atomic_store(&wake->alerts, 1);
}
