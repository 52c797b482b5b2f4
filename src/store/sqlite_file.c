/* SPDX-License-Identifier: MIT */
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/clock.h"

enum { PLACE_CHECK_MS = 1000, NS_PER_MS = 1000000, FILE_MODE = 0600 };

/* Numbers from the kernel; its headers name only some of them. */
static const struct {
	uint32_t type;
	const char *name;
} networks[] = {
	{ 0x00006969, "NFS" },    { 0x0000517B, "SMB" },        { 0xFF534D42, "CIFS" },
	{ 0xFE534D42, "SMB" },    { 0x01021997, "9P" },         { 0x65735546, "FUSE" },
	{ 0x5346414F, "AFS" },    { 0x6B414653, "AFS" },        { 0x73757245, "Coda" },
	{ 0x0000564C, "NCP" },    { 0x00C36400, "Ceph" },       { 0x0BD00BD0, "Lustre" },
	{ 0x7461636F, "OCFS2" },  { 0x01161970, "GFS2" },       { 0x47504653, "GPFS" },
	{ 0xAAD7AAEA, "PanFS" },  { 0x786F4256, "VirtualBox" }, { 0xBACBACBC, "VMware" },
	{ 0x19830326, "BeeGFS" }, { 0x20030528, "OrangeFS" },
};

const char *sb_sqlite_file_network_name(uint64_t type)
{
	/* f_type is signed on some machines: only its low half counts. */
	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
		if (networks[i].type == (uint32_t)type)
			return networks[i].name;
	return NULL;
}

/* "." for a path without a directory. False: the path is too long. */
static bool directory_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	if (len >= PATH_MAX)
		return false;
	if (slash == path)
		len = 1;
	memcpy(out, slash != NULL ? path : ".", len > 0 ? len : 1);
	out[len > 0 ? len : 1] = '\0';
	return true;
}

stepbus_status sb_sqlite_file_check_local(const char *path, stepbus_error *err)
{
	char directory[PATH_MAX];
	struct statfs about;
	const char *name;

	if (!directory_of(path, directory))
		return sb_fail(err, STEPBUS_EINVAL, "cannot open a store: its path is too long");
	if (statfs(path, &about) != 0 && statfs(directory, &about) != 0)
		return sb_fail(err, STEPBUS_ESTORE, "cannot open '%s': %s: %s", path, directory,
			       strerror(errno));
	name = sb_sqlite_file_network_name((uint64_t)about.f_type);
	if (name == NULL)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_ENETWORK,
		       "cannot open '%s': it lies on a file system (%s) whose locks cannot be "
		       "trusted; give a path on a local disk, or allow it",
		       path, name);
}

stepbus_status sb_sqlite_file_create(const char *path, stepbus_error *err)
{
	/* mknod, since it opens nothing. The log and its index get the mode of the file. */
	if (mknod(path, S_IFREG | FILE_MODE, 0) == 0)
		(void)chmod(path, FILE_MODE);
	else if (errno == EACCES || errno == EROFS || errno == EPERM)
		return sb_fail(err, STEPBUS_EREADONLY,
			       "cannot create '%s': %s; check the rights of its directory", path,
			       strerror(errno));
	else if (errno == ENOSPC || errno == EDQUOT)
		return sb_fail(err, STEPBUS_ENOSPACE, "cannot create '%s': %s", path,
			       strerror(errno));
	else if (errno != EEXIST)
		return sb_fail(err, STEPBUS_ESTORE,
			       "cannot create '%s': %s; its directory must be there", path,
			       strerror(errno));
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_file_identify(sb_sqlite_store *store, stepbus_error *err)
{
	struct stat about;

	if (stat(store->path, &about) != 0)
		return sb_fail(err, STEPBUS_ESTORE, "cannot open '%s': %s", store->path,
			       strerror(errno));
	if (!S_ISREG(about.st_mode))
		return sb_fail(err, STEPBUS_EINVAL, "cannot open '%s': it is no file", store->path);
	store->device = about.st_dev;
	store->inode = about.st_ino;
	store->checked_at_ns = sb_clock_elapsed_ns(store->base.host);
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_file_check_place(sb_sqlite_store *store, stepbus_error *err)
{
	int64_t now_ns = sb_clock_elapsed_ns(store->base.host);
	struct stat about;

	if (now_ns - store->checked_at_ns < (int64_t)PLACE_CHECK_MS * NS_PER_MS)
		return STEPBUS_OK;
	store->checked_at_ns = now_ns;
	if (stat(store->path, &about) == 0) {
		if (about.st_dev == store->device && about.st_ino == store->inode)
			return STEPBUS_OK;
	} else if (errno != ENOENT && errno != ENOTDIR) {
		return STEPBUS_OK;
	}
	store->is_dead = true;
	return sb_fail(err, STEPBUS_ESTORE,
		       "cannot go on with '%s': the file was removed or replaced while it was "
		       "open; put it back and open it anew",
		       store->path);
}

bool sb_sqlite_file_lacks_inodes(const char *path)
{
	char directory[PATH_MAX];
	struct statfs about;

	/* Without any are file systems that make them as they need them. */
	return directory_of(path, directory) && statfs(directory, &about) == 0 &&
	       about.f_files > 0 && about.f_ffree == 0;
}

int64_t sb_sqlite_file_size(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
}
