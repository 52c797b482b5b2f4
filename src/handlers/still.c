/* SPDX-License-Identifier: MIT */
#include "handlers/still.h"

#include "handlers/clockwork.h"

bool sb_still_turn(stepbus *engine, sb_still_part part)
{
	switch (part) {
	case SB_STILL_WRITER:
		return sb_writer_turn(&engine->writer);
	case SB_STILL_CLOCKWORK:
		return sb_clockwork_turn(engine->clockwork);
	case SB_STILL_NOTICES:
	default:
		return sb_notices_turn(&engine->notices);
	}
}

void sb_still_work_off(stepbus *engine)
{
	bool has_worked = engine->options.is_still;

	while (has_worked) {
		has_worked = sb_writer_turn(&engine->writer);
		has_worked = sb_notices_turn(&engine->notices) || has_worked;
	}
}
