/* Start-up and registers of the programs in this folder. */
#ifndef BARE_H
#define BARE_H

#include "liquid_audio_metrics.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define DEMCR REGISTER(0xE000EDFCu)
#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CYCCNT REGISTER(0xE0001004u)
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define NVMC_ICACHECNF REGISTER(0x4001E540u)

void start(void);
void tick(void);
extern uint32_t __stack_top, __bss_start, __bss_end;
extern volatile uint32_t done;

__attribute__((section(".vectors"), used)) static void (*const k_vectors[16])(void) = {
    [0] = (void (*)(void))&__stack_top,
    [1] = start,
    [15] = tick,
};

static inline void prepare(void) {
    for (uint32_t *word = &__bss_start; word != &__bss_end; word++) {
        *word = 0u; /* RAM holds anything after power-on */
    }
    NVMC_ICACHECNF = 1u;
    DEMCR |= 1u << 24; /* TRCENA */
    DWT_CTRL |= 1u;    /* CYCCNTENA */
}

#endif
