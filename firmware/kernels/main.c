/* An image of its own that counts cycles: `make -C firmware kernels`, run by `python -m benchmarks kernels`. It prints one
 * line after a reset, and once more for every byte that it receives. */
#include "app.h"
#include "dense_kernels.h"
#include "mix.h"
#include "out.h"
#include "port.h"

#define ROUNDS 3u /* the fastest counts: the first one fills the caches */
#define SEED 20260701u

static dense_in s_in;
static dense_out s_out;

static uint32_t ours(uint32_t seed) {
    dense_ours(s_in, s_out);
    return seed;
}

static uint32_t plain(uint32_t seed) {
    dense_plain(s_in, s_out);
    return seed;
}

static uint32_t cycles_of(uint32_t (*work)(uint32_t seed), uint32_t *result) {
    uint32_t best = UINT32_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t from = lan_cycles();
        *result = work(SEED);
        const uint32_t cycles = lan_cycles() - from;
        best = cycles < best ? cycles : best;
    }
    return best;
}

static void report(void) {
    static const struct {
        const char *name;
        uint32_t (*work)(uint32_t seed);
    } k_parts[] = {{"list", mix_list}, {"matrix", mix_matrix}, {"state", mix_state},
                   {"crc", mix_crc},   {"ours", ours},         {"plain", plain}};
    uint32_t sum = 0u; /* shows that all was computed, and computed right */
    out("m-kernels-[");
    for (uint32_t i = 0; i < sizeof k_parts / sizeof k_parts[0]; i++) {
        uint32_t result;
        const uint32_t cycles = cycles_of(k_parts[i].work, &result);
        sum = sum * 31u + result;
        out(k_parts[i].name);
        out("=");
        out_u32(cycles);
        out(",");
    }
    out("macs=");
    out_u32(DENSE_MACS);
    out(",sum=");
    out_hex32(sum);
    out_line("]");
    out_line("m-ready");
}

int main(void) {
    for (uint32_t f = 0; f < DENSE_FRAMES; f++) {
        for (uint32_t i = 0; i < DENSE_INPUTS; i++) {
            s_in[f][i] = (float)(f + i) * 0.01f;
        }
    }
    for (;;) {
        report();
        while (port_getc() < 0) {
            port_wait_input();
        }
    }
}
