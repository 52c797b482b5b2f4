/* SPDX-License-Identifier: MIT */
/*
 * Time zones by their names, each read from its file once. A file that changes is seen by engines that
 * are opened afterwards. Under the writer's lead.
 */
#ifndef SB_HANDLERS_ZONE_SHELF_H
#define SB_HANDLERS_ZONE_SHELF_H

#include "base/map.h"
#include "handlers/zone.h"

typedef struct sb_zone_shelf {
	sb_map zones;
} sb_zone_shelf;

stepbus_status sb_zone_shelf_init(sb_zone_shelf *shelf, const stepbus_host *host,
				  stepbus_error *err);
void sb_zone_shelf_free(sb_zone_shelf *shelf);

/* Borrowed; NULL for UTC. Answers as sb_zone_load. */
stepbus_status sb_zone_shelf_find(sb_zone_shelf *shelf, sb_slice name, const sb_zone **out,
				  stepbus_error *err);

#endif
