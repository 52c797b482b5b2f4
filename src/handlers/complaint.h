/* SPDX-License-Identifier: MIT */
/*
 * Something that the engine lives with, but that somebody has to mend: a record in the host's log
 * and an event of the store's. Told by the notices' thread, since the log may call back and so is
 * called without the lead. How often is up to who complains.
 *
 * By the leader of the writer.
 */
#ifndef SB_HANDLERS_COMPLAINT_H
#define SB_HANDLERS_COMPLAINT_H

#include "handlers/engine.h"

/* What it is about. The first two are static; entity is copied. */
typedef struct sb_complaint_about {
	const char *component;
	const char *entity_type;
	sb_slice entity;
} sb_complaint_about;

/* Left out where memory runs out. message ends in NUL and is copied. */
void sb_complaint_tell(stepbus *engine, const sb_complaint_about *about, const char *message);

#endif
