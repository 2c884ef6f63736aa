/* Power spectrum of LAN_FRAME real samples. */
#ifndef LAN_FFT_H
#define LAN_FFT_H

#include "config.h"

#define LAN_BINS (LAN_FRAME / 2u + 1u)

/* power[k] = |X[k]|^2, k = 0 .. LAN_FRAME/2, X = sum x[n] exp(-2 pi i n k / LAN_FRAME), unscaled.
 * `work` holds the samples on entry and is used up. `power` must not overlap it and has LAN_FRAME + 2 floats,
 * of which the first LAN_BINS are the result. */
void lan_power_spectrum(float work[LAN_FRAME], float power[LAN_FRAME + 2u]);

#endif
