/* Energy gate: says which frames are worth an inference. Integer arithmetic only, a few instructions per sample. */
#ifndef LAN_GATE_H
#define LAN_GATE_H

#include <stdint.h>

#include "config.h"

/* Forget the noise floor. */
void lan_gate_reset(void);
/* Mean square of the difference between neighbouring samples of one frame, in counts^2. */
uint32_t lan_gate_energy(const int16_t pcm[LAN_FRAME]);
/* Follow the noise floor with the next frame's energy. 1 = let this frame through. */
int lan_gate_step(uint32_t energy);

#endif
