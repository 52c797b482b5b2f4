/* SPDX-License-Identifier: MIT */
/*
 * The roster of a bridge: who subscribes to which event. The only file that installs and retires
 * lists.
 */
#ifndef SB_BRIDGE_ROSTER_H
#define SB_BRIDGE_ROSTER_H

#include "bridge/bridge.h"

/*
 * Makes room for the next event, and its list: all whose pattern matches its name. Under the
 * bridge's lock, as the next two.
 */
stepbus_status sb_roster_prepare(stepbus_bridge *bridge, sb_slice name, sb_subscriber_list **out,
				 stepbus_error *err);
/* Lets the event be published. */
void sb_roster_open(stepbus_bridge *bridge, sb_event *event, sb_subscriber_list *list);
/* Takes the preparation back. */
void sb_roster_abandon(stepbus_bridge *bridge, sb_subscriber_list *list);

/* spec was checked and has its defaults. destroy is not called where this fails. */
stepbus_status sb_roster_subscribe(stepbus_bridge *bridge, sb_slice pattern,
				   const stepbus_subscription *spec, uint64_t *id,
				   stepbus_error *err);
stepbus_status sb_roster_unsubscribe(stepbus_bridge *bridge, uint64_t id, stepbus_error *err);
/* Whether a subscription has not ended. */
bool sb_roster_has(stepbus_bridge *bridge, uint64_t id);
/* Ends all subscriptions there are. */
void sb_roster_clear(stepbus_bridge *bridge);

/* Waits until no callback of the bridge runs. Not from inside one. */
void sb_roster_wait(stepbus_bridge *bridge);
/*
 * Tidies up what nobody uses any more; from a publisher that walked a retired list, before it
 * leaves it.
 */
void sb_roster_settle(stepbus_bridge *bridge);
/* Waits until no publisher walks a list of the bridge, and frees them all. */
void sb_roster_free(stepbus_bridge *bridge);

#endif
