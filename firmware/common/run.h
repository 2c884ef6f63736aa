/* Inferences in time: `infer`, `lnn listen`, the marker lines, and what they counted. */
#ifndef LAN_RUN_H
#define LAN_RUN_H

#include "console.h"

typedef struct {
    uint32_t frames;     /* audio frames handed to the network, warm-ups included */
    uint32_t inferences; /* frames under the inference marker */
    uint32_t overruns;   /* starts missed because the previous inference was not done */
} lan_counts;

void lan_infer(const lan_args *args);
void lan_listen(uint32_t duration_ms);
void lan_set_pace(uint32_t ms);
uint32_t lan_get_pace(void);
void lan_print_results(void);
lan_counts lan_get_counts(void);

#endif
