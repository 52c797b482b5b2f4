/* SPDX-License-Identifier: MIT */
#include "handlers/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"

enum { PATH_LEN_MAX = 512 };

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Each part begins with a letter or digit: no part is empty, "." or "..", nor has it a dot. */
static bool is_name(sb_slice name)
{
	bool is_begin = true;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!is_word_byte(c) &&
		    (is_begin || (c != '_' && c != '+' && c != '-' && c != '/')))
			return false;
		is_begin = c == '/';
	}
	return !is_begin && name.len <= SB_ZONE_NAME_LEN_MAX;
}

static stepbus_status fail_open(int error, const char *path, stepbus_error *err)
{
	if (error == ENOENT || error == ENOTDIR)
		return sb_fail(err, STEPBUS_ENOTFOUND,
			       "there is no %s: check the name, and install tzdata where it is "
			       "missing",
			       path);
	if (error == ENOMEM)
		return sb_fail_memory(err, "open a time zone");
	return sb_fail(err, STEPBUS_ESYSTEM, "cannot open %s: error %d of the system", path, error);
}

/* Fills bytes, which have one more place than a zone may have. */
static stepbus_status read_all(int fd, const char *path, uint8_t *bytes, size_t *len,
			       stepbus_error *err)
{
	ssize_t count;

	for (*len = 0; *len <= SB_ZONE_LEN_MAX; *len += (size_t)count) {
		do
			count = read(fd, bytes + *len, SB_ZONE_LEN_MAX + 1 - *len);
		while (count < 0 && errno == EINTR);
		if (count < 0)
			return sb_fail(err, STEPBUS_ESYSTEM,
				       "cannot read %s: error %d of the system", path, errno);
		if (count == 0)
			return STEPBUS_OK;
	}
	return sb_fail(err, STEPBUS_EINVAL, "%s has more than %d bytes", path, SB_ZONE_LEN_MAX);
}

static stepbus_status load(const stepbus_host *host, int fd, const char *path, sb_zone **out,
			   stepbus_error *err)
{
	struct stat info;
	stepbus_status status;
	uint8_t *bytes;
	size_t len;

	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		return sb_fail(err, STEPBUS_EINVAL, "%s is no file, so no time zone", path);
	bytes = sb_alloc(host, SB_ZONE_LEN_MAX + 1);
	if (bytes == NULL)
		return sb_fail_memory(err, "read a time zone");
	status = read_all(fd, path, bytes, &len, err);
	if (status == STEPBUS_OK) {
		status = sb_zone_parse(host, bytes, len, out, err);
		if (status == STEPBUS_EINVAL)
			sb_fail_where(err, "cannot use %s: ", path);
	}
	sb_release(host, bytes);
	return status;
}

stepbus_status sb_zone_load(const stepbus_host *host, const char *directory, sb_slice name,
			    sb_zone **out, stepbus_error *err)
{
	char path[PATH_LEN_MAX];
	stepbus_status status;
	sb_shown shown;
	int fd, len;

	*out = NULL;
	if (name.len == 0 || sb_slice_is_equal(name, sb_slice_z("UTC")))
		return STEPBUS_OK;
	if (!is_name(name))
		return sb_fail(err, STEPBUS_EINVAL,
			       "the time zone '%s' is not allowed: a name like Europe/Berlin, 1 to "
			       "%d bytes of [A-Za-z0-9_+/-], is",
			       sb_show(&shown, name.data, name.len), SB_ZONE_NAME_LEN_MAX);
	len = snprintf(path, sizeof path, "%s/%.*s", directory, (int)name.len, name.data);
	if (len < 0 || (size_t)len >= sizeof path)
		return sb_fail(err, STEPBUS_EINVAL, "the path of the time zones is too long");
	/* Without O_NONBLOCK a pipe of that name would make us wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail_open(errno, path, err);
	status = load(host, fd, path, out, err);
	(void)close(fd);
	return status;
}
