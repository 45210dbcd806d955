// Tags what crashes again and again, and says how often it did.
#include "enrich.h"
#include <stdlib.h>
#include <string.h>

static uint32_t at_least = 5;

bool exports_weir_pipeline_stage_configure(enrich_string_t *config, enrich_string_t *error) {
  const char *key = "{\"at_least\":";
  if (config->len > strlen(key) && memcmp(config->ptr, key, strlen(key)) == 0) {
    at_least = strtoul((const char *)config->ptr + strlen(key), NULL, 10);
  }
  if (at_least > 0) return true;
  enrich_string_dup(error, "`at_least`: expected a whole number above 0");
  return false;
}

bool exports_weir_pipeline_stage_process(void) {
  enrich_string_t reason, pointer, tag, error;
  weir_pipeline_event_reason(&reason);
  bool is_back_off = reason.len == 7 && memcmp(reason.ptr, "BackOff", 7) == 0;
  enrich_string_free(&reason);
  uint32_t times = is_back_off ? weir_pipeline_event_count() : 0;
  if (times < at_least) return true;
  enrich_string_set(&pointer, "/tags");
  enrich_string_set(&tag, "crash-loop");
  if (!weir_pipeline_edit_append_string(&pointer, &tag, &error)) enrich_string_free(&error);
  enrich_string_set(&pointer, "/crashes");
  if (!weir_pipeline_edit_set_integer(&pointer, times, &error)) enrich_string_free(&error);
  return true;
}
