/* SPDX-License-Identifier: MIT */
/* Makes the store believe that files lie on a network file system, where it uses no log. */
#ifndef TESTS_TORTURE_POWER_NETWORK_H
#define TESTS_TORTURE_POWER_NETWORK_H

#include <stdbool.h>

void network_pretend(bool is);

#endif
