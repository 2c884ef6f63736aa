/* One fully connected layer: the place where the network spends its time. */
#ifndef LAN_DENSE_H
#define LAN_DENSE_H

#include <stdint.h>

/* out[o] = bias[o] + sum of W[o][i] in[i], added in the order of i; weight is W in blocks of four outputs,
 * [outputs / 4][inputs][4]. Both counts are multiples of 4. `out` overlaps nothing else. */
void lan_dense(const float *restrict weight, const float *restrict bias, const float *restrict in, uint32_t inputs,
               float *restrict out, uint32_t outputs);

#endif
