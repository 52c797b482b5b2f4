/* SPDX-License-Identifier: MIT */
/*
 * The handlers of a world, by their names: "echo" succeeds with all that a result may have; "fail",
 * "snooze" and "checkpoint" do so once and succeed then; "shy" has a factory and is not well; what is
 * pulled has no function. Each run is noted in the world.
 */
#ifndef TORTURE_FAMINE_HANDLERS_H
#define TORTURE_FAMINE_HANDLERS_H

#include "torture/famine/world.h"

/* What famine_register registers; its texts live as long as the name. */
stepbus_handler_spec famine_handler(famine_world *w, const char *name, uint32_t flags);

#endif
