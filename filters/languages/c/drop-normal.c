// Drops events of type Normal, but for the reasons that its configuration keeps.
#include "filter.h"
#include <stdio.h>
#include <string.h>

static char keep[4096]; // The configuration as it came: a reason is kept if it stands there in quotes.
static uint32_t normal;

bool exports_weir_pipeline_stage_configure(filter_string_t *config, filter_string_t *error) {
  const char *key = "\"keep_reasons\":[";
  snprintf(keep, sizeof keep, "%.*s", (int)config->len, (const char *)config->ptr);
  if (strcmp(keep, "{}") != 0 && strncmp(keep + 1, key, strlen(key)) != 0) {
    // What is said here is what the operator reads.
    filter_string_dup(error, "expected `keep_reasons`, a list of reasons, and nothing else");
    return false;
  }
  filter_string_t reason;
  filter_string_set(&reason, "normal");
  return weir_pipeline_discard_declare(&reason, &normal, error);
}

bool exports_weir_pipeline_stage_process(void) {
  if (weir_pipeline_event_type() != WEIR_PIPELINE_EVENT_EVENT_TYPE_NORMAL) return true;
  filter_string_t reason;
  char quoted[256];
  weir_pipeline_event_reason(&reason);
  snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)reason.len, (const char *)reason.ptr);
  filter_string_free(&reason);
  if (strstr(keep, quoted) == NULL) weir_pipeline_discard_discard(normal);
  return true;
}
