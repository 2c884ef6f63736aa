/* The network's widest layer, as the product computes it and as a plain triple loop over the same weights. */
#ifndef LAN_KERNEL_DENSE_H
#define LAN_KERNEL_DENSE_H

#include <stdint.h>

#include "config.h"

#define DENSE_INPUTS (LAN_INPUTS + LAN_HIDDEN)
#define DENSE_OUTPUTS LAN_BACKBONE
#define DENSE_FRAMES 4u /* applied to so many inputs in a row */
#define DENSE_MACS (DENSE_FRAMES * DENSE_INPUTS * DENSE_OUTPUTS)

typedef float dense_in[DENSE_FRAMES][DENSE_INPUTS];
typedef float dense_out[DENSE_FRAMES][DENSE_OUTPUTS];

/* ours reads the weights as [outputs / 4][inputs][4], plain as [outputs][inputs]: results differ, work does not */
void dense_ours(dense_in in, dense_out out);
void dense_plain(dense_in in, dense_out out);

#endif
