/* SPDX-License-Identifier: MIT */
#include "handlers/damage.h"

#include <stdio.h>

#include "base/ids.h"
#include "handlers/complaint.h"

static const char *const kind_names[] = {
	[SB_DAMAGE_STEP] = "step",
	[SB_DAMAGE_QUEUE] = "queue",
	[SB_DAMAGE_HANDLER] = "handler",
};

static bool was_told(const struct sb_damage *damage, sb_damage_kind kind, int64_t id)
{
	for (size_t i = 0; i < damage->count; i++)
		if (damage->told[i].kind == kind && damage->told[i].id == id)
			return true;
	return false;
}

static void tell(stepbus *engine, sb_damage_kind kind, int64_t id, const char *why)
{
	stepbus_error text = STEPBUS_ERROR_INIT;
	char entity[SB_ID_TEXT_LEN + 1];
	uint8_t step_id[SB_ID_LEN];

	if (kind == SB_DAMAGE_STEP) {
		sb_id_of_row(id, engine->store->tag, step_id);
		sb_id_format(step_id, entity);
	} else {
		(void)snprintf(entity, sizeof entity, "%lld", (long long)id);
	}
	(void)sb_fail(
		&text, STEPBUS_ECORRUPT,
		"row %lld of a %s is passed over, since another program has changed the store "
		"(restore or remove it): %s",
		(long long)id, kind_names[kind], why);
	sb_complaint_tell(engine,
			  &(sb_complaint_about){ "engine", kind_names[kind], sb_slice_z(entity) },
			  text.message);
}

bool sb_damage_is(stepbus_status status)
{
	return status == STEPBUS_ENOTFOUND || status == STEPBUS_ECORRUPT;
}

void sb_damage_note(stepbus *engine, sb_damage_kind kind, int64_t id, const char *why)
{
	struct sb_damage *damage = &engine->damage;

	if (damage->count == SB_DAMAGE_TOLD_MAX || was_told(damage, kind, id))
		return;
	damage->told[damage->count].kind = kind;
	damage->told[damage->count].id = id;
	damage->count++;
	tell(engine, kind, id, why);
	if (damage->count == SB_DAMAGE_TOLD_MAX)
		sb_complaint_tell(engine, &(sb_complaint_about){ "engine", "store", { 0 } },
				  "so many rows of the store are passed over that no more of them "
				  "are told of until it is opened anew");
}
