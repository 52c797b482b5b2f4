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

/*
 * Counted before it is written: whoever drains in between reads nothing, and knows that there is more to
 * come. Where it is full, it is readable.
 */
static void put(sb_wake *wake)
{
	static const uint64_t one = 1;
	int fd = atomic_load(&wake->write_fd);
	ssize_t len;

	atomic_fetch_add(&wake->put_count, 1);
	len = wake->kind == STEPBUS_WAKE_SOCKET ? send(fd, &one, 1, MSG_NOSIGNAL) :
						  write(fd, &one, sizeof one);
	if (len < 0)
		atomic_fetch_sub(&wake->put_count, 1);
}

/* How many were written. */
static uint64_t take_all(const sb_wake *wake)
{
	union {
		uint64_t count; /* of an eventfd, all at once */
		uint8_t bytes[DRAIN_LEN];
	} room;
	uint64_t count = 0;
	ssize_t len;

	if (wake->kind == STEPBUS_WAKE_EVENTFD)
		return read(wake->read_fd, &room.count, sizeof room.count) < 0 ? 0 : room.count;
	do {
		len = read(wake->read_fd, room.bytes, sizeof room.bytes);
		count += len > 0 ? (uint64_t)len : 0;
	} while (len == (ssize_t)sizeof room.bytes);
	return count;
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
	if (atomic_load(&wake->put_count) == 0)
		return;
	wake->is_signalled = false;
	atomic_fetch_sub(&wake->put_count, take_all(wake));
}

void sb_wake_alert(sb_wake *wake)
{
	if (atomic_load(&wake->write_fd) >= 0)
		put(wake);
}
