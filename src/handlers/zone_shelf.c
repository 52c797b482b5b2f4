/* SPDX-License-Identifier: MIT */
#include "handlers/zone_shelf.h"

#include "handlers/zone_file.h"

typedef struct shelved {
	sb_map_node node; /* by name */
	sb_zone *zone;
	char name[];
} shelved;

stepbus_status sb_zone_shelf_init(sb_zone_shelf *shelf, const stepbus_host *host,
				  stepbus_error *err)
{
	return sb_map_init(&shelf->zones, host, err);
}

static void discard(const stepbus_host *host, shelved *old)
{
	sb_zone_free(host, old->zone);
	sb_release(host, old);
}

void sb_zone_shelf_free(sb_zone_shelf *shelf)
{
	sb_map_node *node;

	while ((node = sb_map_first(&shelf->zones)) != NULL) {
		sb_map_remove(&shelf->zones, node);
		discard(shelf->zones.host, (shelved *)(void *)node);
	}
}

static stepbus_status add(sb_zone_shelf *shelf, sb_slice name, const sb_zone **out,
			  stepbus_error *err)
{
	const stepbus_host *host = shelf->zones.host;
	shelved *made = sb_alloc(host, sizeof *made + name.len + 1);
	stepbus_status status;

	if (made == NULL)
		return sb_fail_memory(err, "keep a time zone");
	memcpy(made->name, name.data, name.len);
	status = sb_zone_load(host, SB_ZONE_DIRECTORY, name, &made->zone, err);
	if (status == STEPBUS_OK && !sb_map_add(&shelf->zones, &made->node, made->name, name.len))
		status = sb_fail_memory(err, "keep a time zone");
	if (status != STEPBUS_OK) {
		discard(host, made);
		return status;
	}
	*out = made->zone;
	return STEPBUS_OK;
}

stepbus_status sb_zone_shelf_find(sb_zone_shelf *shelf, sb_slice name, const sb_zone **out,
				  stepbus_error *err)
{
	const shelved *found;

	*out = NULL;
	if (name.len == 0)
		return STEPBUS_OK;
	found = (const shelved *)(const void *)sb_map_find(&shelf->zones, name.data, name.len);
	if (found == NULL)
		return add(shelf, name, out, err);
	*out = found->zone;
	return STEPBUS_OK;
}
