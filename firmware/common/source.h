/* Where audio comes from: the buffer that `db` filled, or a built-in deterministic signal. */
#ifndef LAN_SOURCE_H
#define LAN_SOURCE_H

#include <stdint.h>

#include "config.h"

/* One sample of the built-in signal; a pure function of its index, so that any frame can be skipped.
 * Segments of 2048 samples (256 ms): background, noise, rising chirp, background, falling chirp, bursts; so a record of a
 * few seconds holds whole turns of them, and its mean power says what that of a long one says. */
int16_t lan_synthetic_sample(uint32_t index);

/* The frame that starts at sample `index`: from `loaded` (count samples, repeated for ever, frames aligned to
 * LAN_FRAME; a last, shorter frame is padded with zeros) or, when count is 0, from the built-in signal. */
void lan_source_frame(const int16_t *loaded, uint32_t count, uint32_t index, int16_t out[LAN_FRAME]);

#endif
