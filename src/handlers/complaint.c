/* SPDX-License-Identifier: MIT */
#include "handlers/complaint.h"

#include <string.h>

#include "base/log.h"
#include "handlers/news.h"

typedef struct complaint {
	sb_notice notice;
	const stepbus_host *host;
	sb_complaint_about about;
	char *message; /* behind the entity; ends in NUL */
	char texts[];
} complaint;

static void tell(sb_notice *notice, stepbus_bridge *bridge)
{
	const complaint *c = (const complaint *)(const void *)notice;

	(void)bridge;
	sb_log(c->host, &(sb_log_record){ .level = STEPBUS_LOG_ERROR,
					  .component = c->about.component,
					  .message = c->message,
					  .entity_type = c->about.entity_type,
					  .entity_id = c->about.entity });
}

static void dispose(sb_notice *notice)
{
	complaint *c = (complaint *)(void *)notice;

	sb_release(c->host, c);
}

static void log_later(stepbus *engine, const sb_complaint_about *about, const char *message)
{
	size_t len = strlen(message);
	complaint *c = sb_alloc(&engine->host, sizeof *c + about->entity.len + len + 1);

	if (c == NULL)
		return;
	c->notice.tell = tell;
	c->notice.dispose = dispose;
	c->host = &engine->host;
	c->about = *about;
	c->about.entity.data = c->texts;
	if (about->entity.len > 0)
		memcpy(c->texts, about->entity.data, about->entity.len);
	c->message = c->texts + about->entity.len;
	memcpy(c->message, message, len + 1);
	sb_notices_add(&engine->notices, &c->notice, &c->notice, 1);
}

void sb_complaint_tell(stepbus *engine, const sb_complaint_about *about, const char *message)
{
	log_later(engine, about, message);
	sb_news_store(engine, SB_EVENT_STORE_ERROR, message);
}
