/* SPDX-License-Identifier: MIT */
/* Names of status codes. Pure. */
#ifndef SB_BASE_STATUS_H
#define SB_BASE_STATUS_H

#include <stdint.h>

const char *sb_status_name(int32_t code);

#endif
