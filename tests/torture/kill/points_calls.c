/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the program, as its own functions. The linker prefers them to those of the C
 * library for SQLite and libevent too, since a program comes before its libraries.
 */
#undef _FORTIFY_SOURCE
#include "torture/kill/points.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SQLite must find them. */
#pragma GCC visibility push(default)

static struct {
	int (*open)(const char *path, int flags, ...);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *bytes, size_t len);
	ssize_t (*write)(int fd, const void *bytes, size_t len);
	ssize_t (*pread)(int fd, void *bytes, size_t len, off64_t at);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off64_t at);
	int (*ftruncate)(int fd, off64_t len);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*fcntl)(int fd, int command, ...);
	void *(*mmap)(void *at, size_t len, int protection, int flags, int fd, off64_t offset);
	int (*munmap)(void *at, size_t len);
	int (*unlink)(const char *path);
	long (*syscall)(long number, ...);
} real;

static void *find(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* A function pointer cannot be assigned from an object pointer in so many words. */
#define FIND(name, symbol) (*(void **)(void *)&real.name = find(symbol))

__attribute__((constructor(101))) static void find_all(void)
{
	FIND(open, "open64");
	FIND(close, "close");
	FIND(read, "read");
	FIND(write, "write");
	FIND(pread, "pread64");
	FIND(pwrite, "pwrite64");
	FIND(ftruncate, "ftruncate64");
	FIND(fdatasync, "fdatasync");
	FIND(fsync, "fsync");
	FIND(fcntl, "fcntl64");
	FIND(mmap, "mmap64");
	FIND(munmap, "munmap");
	FIND(unlink, "unlink");
	FIND(syscall, "syscall");
}

/* Libraries that start before this program may call already. */
static void look(void)
{
	if (real.syscall == NULL)
		find_all();
}

static void behind(point_call call, int fd)
{
	int kept = errno;

	points_pass(call, fd, true);
	errno = kept;
}

static int open_any(const char *path, int flags, mode_t mode)
{
	int fd;

	look();
	points_pass(POINT_OPEN, -1, false);
	fd = real.open(path, flags, mode);
	if (fd >= 0)
		points_note_opened(fd, path);
	behind(POINT_OPEN, fd);
	return fd;
}

static mode_t mode_of(int flags, va_list *arguments)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(*arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, &arguments);
	va_end(arguments);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, &arguments);
	va_end(arguments);
	return open_any(path, flags, mode);
}

int close(int fd)
{
	int answer;

	look();
	points_pass(POINT_CLOSE, fd, false);
	answer = real.close(fd);
	behind(POINT_CLOSE, fd);
	points_note_closed(fd);
	return answer;
}

ssize_t read(int fd, void *bytes, size_t len)
{
	ssize_t answer;

	look();
	points_pass(POINT_READ, fd, false);
	answer = real.read(fd, bytes, len);
	behind(POINT_READ, fd);
	return answer;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	ssize_t answer;

	look();
	points_pass(POINT_WRITE, fd, false);
	answer = real.write(fd, bytes, len);
	behind(POINT_WRITE, fd);
	return answer;
}

static ssize_t pread_any(int fd, void *bytes, size_t len, off64_t at)
{
	ssize_t answer;

	look();
	points_pass(POINT_READ, fd, false);
	answer = real.pread(fd, bytes, len, at);
	behind(POINT_READ, fd);
	return answer;
}

ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
	return pread_any(fd, bytes, len, at);
}

ssize_t pread64(int fd, void *bytes, size_t len, off64_t at)
{
	return pread_any(fd, bytes, len, at);
}

static ssize_t pwrite_any(int fd, const void *bytes, size_t len, off64_t at)
{
	ssize_t answer;

	look();
	points_pass(POINT_WRITE, fd, false);
	answer = real.pwrite(fd, bytes, len, at);
	behind(POINT_WRITE, fd);
	return answer;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return pwrite_any(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	return pwrite_any(fd, bytes, len, at);
}

static int truncate_any(int fd, off64_t len)
{
	int answer;

	look();
	points_pass(POINT_TRUNCATE, fd, false);
	answer = real.ftruncate(fd, len);
	behind(POINT_TRUNCATE, fd);
	return answer;
}

int ftruncate(int fd, off_t len)
{
	return truncate_any(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	return truncate_any(fd, len);
}

int fdatasync(int fd)
{
	int answer;

	look();
	points_pass(POINT_SYNC, fd, false);
	answer = real.fdatasync(fd);
	behind(POINT_SYNC, fd);
	return answer;
}

int fsync(int fd)
{
	int answer;

	look();
	points_pass(POINT_SYNC, fd, false);
	answer = real.fsync(fd);
	behind(POINT_SYNC, fd);
	return answer;
}

/* All arguments of fcntl fit into a pointer. */
static int fcntl_any(int fd, int command, void *argument)
{
	int answer;

	look();
	points_pass(POINT_LOCK, fd, false);
	answer = real.fcntl(fd, command, argument);
	behind(POINT_LOCK, fd);
	return answer;
}

int fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return fcntl_any(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return fcntl_any(fd, command, argument);
}

static void *map_any(void *at, size_t len, const int how[3], off64_t offset)
{
	void *answer;

	look();
	points_pass(POINT_MAP, how[2], false);
	answer = real.mmap(at, len, how[0], how[1], how[2], offset);
	behind(POINT_MAP, how[2]);
	return answer;
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	return map_any(at, len, (const int[]){ protection, flags, fd }, offset);
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
	return map_any(at, len, (const int[]){ protection, flags, fd }, offset);
}

int munmap(void *at, size_t len)
{
	int answer;

	look();
	points_pass(POINT_MAP, -1, false);
	answer = real.munmap(at, len);
	behind(POINT_MAP, -1);
	return answer;
}

int unlink(const char *path)
{
	int answer;

	look();
	points_pass(POINT_UNLINK, -1, false);
	answer = real.unlink(path);
	behind(POINT_UNLINK, -1);
	return answer;
}

/* Of these the library makes futex calls, between its threads. */
long syscall(long number, ...)
{
	long arguments[6], answer;
	va_list list;
	bool is_point = number == SYS_futex;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	look();
	if (is_point)
		points_pass(POINT_FUTEX, -1, false);
	answer = real.syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
	if (is_point)
		behind(POINT_FUTEX, -1);
	return answer;
}
