/* SPDX-License-Identifier: MIT */
/*
 * Reads time zones by their names ("Europe/Berlin") from where the system keeps them. A name is 1 to
 * 64 bytes of [A-Za-z0-9_+/-], begins with a letter or digit and has no empty part: so it can lead
 * nowhere else. Links inside that directory are followed, since many zones are only other names of
 * one; what is there is trusted no more for that, and checked like any bytes.
 *
 * Waits for the disk. Any thread.
 */
#ifndef SB_HANDLERS_ZONE_FILE_H
#define SB_HANDLERS_ZONE_FILE_H

#include "handlers/zone.h"

enum { SB_ZONE_NAME_LEN_MAX = 64 };

/* Where Debian and everybody else has them. */
#define SB_ZONE_DIRECTORY "/usr/share/zoneinfo"

/*
 * out is to be freed with sb_zone_free. "UTC" and no name at all need no file, and give NULL.
 * directory  SB_ZONE_DIRECTORY, but for tests.
 * errors     STEPBUS_EINVAL (the name, or what the file holds), STEPBUS_ENOTFOUND, STEPBUS_ESYSTEM,
 *            STEPBUS_ENOMEM.
 */
stepbus_status sb_zone_load(const stepbus_host *host, const char *directory, sb_slice name,
			    sb_zone **out, stepbus_error *err);

#endif
