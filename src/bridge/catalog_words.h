/* SPDX-License-Identifier: MIT */
/*
 * The words that schemas and examples of the standard events are written in: each makes a piece of
 * JSON. For catalog_standard.c alone. Pure.
 */
#ifndef SB_BRIDGE_CATALOG_WORDS_H
#define SB_BRIDGE_CATALOG_WORDS_H

#include "bridge/payload.h"

/* Not formatted by tools: JSON() quotes its text as it stands, and would quote new spaces too. */
/* clang-format off */

#define JSON(...) #__VA_ARGS__

#define FIELD(name, ...) "\"" #name "\":" #__VA_ARGS__
#define ANY(name) FIELD(name, {})
#define COUNT(name) FIELD(name, {"type":"integer","minimum":0})
#define DIGITS(name) FIELD(name, {"type":"string","pattern":"^[0-9]+$"})
#define FLAG(name) FIELD(name, {"type":"boolean"})
#define ID(name) FIELD(name, {"type":"string","format":"uuid"})
#define ID_OR_NULL(name) FIELD(name, {"type":["string","null"],"format":"uuid"})
#define MAP(name) FIELD(name, {"type":"object"})
#define TEXT(name) FIELD(name, {"type":"string"})
#define TEXT_OR_NULL(name) FIELD(name, {"type":["string","null"]})
#define TIME(name) FIELD(name, {"type":"string","format":"date-time"})

/* required has its names in JSON(); fields are joined by ",". */
#define SCHEMA(required, fields) \
	"{\"type\":\"object\",\"required\":[" required "],\"properties\":{" fields "}}"
#define SCHEMA_OF_STRUCT(type, required, fields) \
	"{\"type\":\"object\",\"x-c-struct\":\"" #type "\",\"required\":[" required "]," \
	"\"properties\":{" fields "}}"
#define OBJECT(fields) "{" fields "}"
#define BYTES SB_PAYLOAD_BYTES

/* What the events about a task, a step or an attempt begin with: in a schema, and in an example. */

#define TASK_FIELDS ID(task_id) "," TEXT(correlation_id)
#define STEP_FIELDS ID(step_id) "," TEXT(step_name) "," TASK_FIELDS
#define ATTEMPT_FIELDS STEP_FIELDS "," DIGITS(token) "," TEXT(worker_id)

#define TASK_ID JSON("task_id":"01a1fda8-61a3-7f02-8c19-5be0a4d3e671")
#define STEP_ID JSON("step_id":"01a1fda8-9083-7c41-9b5e-3d2a6f80c714")
#define CORRELATION_ID JSON("correlation_id":"01a1fda7-f05b-7a6d-b3c8-94e1750f2d8a")

#define TASK TASK_ID "," CORRELATION_ID
#define STEP STEP_ID JSON(,"step_name":"charge_card",) TASK
#define ATTEMPT STEP JSON(,"token":"42","worker_id":"billing-1")

/* clang-format on */

#endif
