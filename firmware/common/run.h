/* Inferences in time: `infer`, `lnn listen`, the marker lines, and what was counted. */
#ifndef LAN_RUN_H
#define LAN_RUN_H

#include "config.h"
#include "console.h"

typedef struct {
    uint32_t frames;     /* audio frames handed to the pipeline, warm-ups included */
    uint32_t inferences; /* frames under the inference marker */
    uint32_t overruns;   /* starts missed because the previous inference was not done */
    uint32_t ran;        /* frames in which the network ran, warm-ups included; in the others the gate kept it asleep */
} lan_counts;

/* One frame: past the gate, and if that opens through the network under the inference marker; counted and recorded.
 * Result: 1 if the network ran. */
int lan_run_frame(const int16_t pcm[LAN_FRAME], float elapsed_s);

void lan_infer(const lan_args *args);
void lan_listen(uint32_t duration_ms);
void lan_set_pace(uint32_t ms);
uint32_t lan_get_pace(void);
void lan_print_results(void);
lan_counts lan_get_counts(void);

#endif
