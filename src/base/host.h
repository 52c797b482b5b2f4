/* SPDX-License-Identifier: MIT */
/*
 * The seams: what the host lends. Everything that reads memory, time or randomness, or logs, takes
 * it from a stepbus_host in which every function but log is set; tests lend their own.
 */
#ifndef SB_BASE_HOST_H
#define SB_BASE_HOST_H

#include "include/stepbus.h"

/* Copies what is given (or nothing, for NULL) and fills in the system's functions for the rest. */
stepbus_status sb_host_fill(const stepbus_host *given, stepbus_host *out, stepbus_error *err);

#endif
