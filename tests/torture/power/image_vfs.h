/* SPDX-License-Identifier: MIT */
/*
 * An image as SQLite's files, without locks, since one connection at a time uses it: what judges a
 * state opens it by this. The index of the log begins empty, as after a power cut. One thread.
 */
#ifndef TESTS_TORTURE_POWER_IMAGE_VFS_H
#define TESTS_TORTURE_POWER_IMAGE_VFS_H

#include "torture/power/image.h"

#define IMAGE_VFS_NAME "image"
#define IMAGE_VFS_PATH "/image"

/* What SQLite found in the log, as its index says. */
typedef struct image_log_index {
	bool is_there;        /* the database has a log, and it was read */
	uint32_t frame_count; /* that count */
	uint32_t page_count;  /* of the database */
} image_log_index;

void image_vfs_install(void);
/* From now on this image is what is opened. */
void image_vfs_show(image *i);
image_log_index image_vfs_log_index(void);

#endif
