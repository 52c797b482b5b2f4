/* SPDX-License-Identifier: MIT */
/*
 * Asking: the calls of the library that take a step's id or a few texts and answer with a document, a
 * number or nothing. One table has them all.
 */
#ifndef SBN_ASK_H
#define SBN_ASK_H

#include "bindings/node/src/api.h"

/* ask(engine, what, id, text, other): resolves to a string, a number or undefined. */
napi_value sbn_ask(napi_env env, napi_callback_info info);

#endif
