/* Closed-form continuous-time network: one cell and a linear readout. */
#ifndef LAN_CFC_H
#define LAN_CFC_H

#include "config.h"

typedef struct {
    float hidden[LAN_HIDDEN];
} lan_cfc_state;

void lan_cfc_reset(lan_cfc_state *state);

/* Advance the state over `elapsed_s` seconds with this input, and read the class scores out.
 * elapsed_s is the true time since the previous call: a longer gap moves the gate further. */
void lan_cfc_step(lan_cfc_state *state, const float input[LAN_INPUTS], float elapsed_s, float logits[LAN_CLASSES]);

/* probabilities[i] = exp(logits[i]) / sum; safe for any finite logits. */
void lan_softmax(const float logits[LAN_CLASSES], float probabilities[LAN_CLASSES]);

#endif
