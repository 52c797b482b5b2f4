/* SPDX-License-Identifier: MIT */
/* Event names and the patterns that match them: segments of [A-Za-z0-9_-] joined by dots. Pure. */
#ifndef SB_BRIDGE_TOPIC_H
#define SB_BRIDGE_TOPIC_H

#include "base/text.h"

enum { SB_TOPIC_LEN_MAX = 128 };

stepbus_status sb_topic_check_name(sb_slice name, stepbus_error *err);
stepbus_status sb_topic_check_pattern(sb_slice pattern, stepbus_error *err);
/* Whether a checked pattern has a "*" in it, and so may match many names. */
bool sb_topic_is_pattern(sb_slice pattern);
/* "*" stands for one segment and, as the last one, for one or more. Both were checked. */
bool sb_topic_is_match(sb_slice pattern, sb_slice name);

#endif
