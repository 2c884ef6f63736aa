/* 64-bit division, which the compiler calls by this name (Run-time ABI for the Arm Architecture, 4.2): there is no
 * libgcc in the image. Slow (a shift and a subtraction for each bit), so it is kept out of what is measured. */
#include <stdint.h>

uint64_t divide_u64(uint64_t value, uint64_t by, uint64_t *rest); /* called from assembly only */
void __aeabi_uldivmod(void);

__attribute__((used)) uint64_t divide_u64(uint64_t value, uint64_t by, uint64_t *rest) {
    uint64_t quotient = 0u, left = 0u;
    for (uint32_t bit = 0; bit < 64u; bit++) {
        left = left << 1 | value >> 63;
        value <<= 1;
        quotient <<= 1;
        if (left >= by) {
            left -= by;
            quotient |= 1u;
        }
    }
    *rest = left;
    return quotient;
}

/* Quotient in r0 and r1, remainder in r2 and r3. */
__attribute__((naked)) void __aeabi_uldivmod(void) {
    __asm volatile("push {r4, lr}\n"
                   "sub sp, #16\n"
                   "add r4, sp, #8\n"
                   "str r4, [sp]\n"
                   "bl divide_u64\n"
                   "ldrd r2, r3, [sp, #8]\n"
                   "add sp, #16\n"
                   "pop {r4, pc}\n");
}
