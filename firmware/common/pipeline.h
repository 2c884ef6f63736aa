/* One inference: audio frame -> features -> network -> probabilities. This, and nothing else, is what the
 * inference marker line encloses. */
#ifndef LAN_PIPELINE_H
#define LAN_PIPELINE_H

#include <stdint.h>

#include "config.h"

typedef struct {
    float logits[LAN_CLASSES];
    float probabilities[LAN_CLASSES];
} lan_result;

/* Forget the past: the next frame starts from the network's rest state. */
void lan_pipeline_reset(void);
/* elapsed_s: audio time since the previous frame, in seconds. */
void lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s);
/* Result of the last frame; all zeros before the first. */
const lan_result *lan_pipeline_result(void);

#endif
