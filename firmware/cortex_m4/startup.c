/* From reset to main(): paint the stack, fill .data and .bss, switch on FPU, cycle counter and stack guard. The vector table's
 * interrupt part belongs to the port. */
#include "startup.h"

#include "app.h"
#include "fault.h"
#include "port.h"
#include "scs.h"

extern uint32_t __data_start[], __data_end[], __bss_start[], __bss_end[];
extern const uint32_t __data_load[];
extern uint32_t __stack_guard[];

#define GUARD_LOG2 8u /* 256 bytes, one MPU region; the linker script aligns it */

_Noreturn void startup(void); /* called from reset_entry's assembly only */

/* Nothing may be on the stack while it is painted: assembly. memory.c looks for the paint. */
__attribute__((naked)) void reset_entry(void) {
    __asm volatile("ldr r0, =__stack_guard\n"
                   "ldr r1, =__stack_top\n"
                   "ldr r2, =0xA5A5A5A5\n"
                   "1: cmp r0, r1\n"
                   "it lo\n"
                   "strlo r2, [r0], #4\n"
                   "blo 1b\n"
                   "mov sp, r1\n"
                   "b startup\n");
}

/* No access at all to the 256 bytes below the stack: running into them is a MemManage fault at once, not a corrupted
 * variable later. The default map stays for everything else. DDI 0403E B3.5. */
static void guard_stack(void) {
    MPU_RNR = 0u;
    MPU_RBAR = (uint32_t)__stack_guard;
    MPU_RASR = (1u << 28) /* XN */ | (0u << 24) /* AP: none */ | (1u << 18) /* S */ | (1u << 17) /* C */ |
               ((GUARD_LOG2 - 1u) << 1) | 1u;
    MPU_CTRL = (1u << 2) /* PRIVDEFENA */ | 1u;
    SCS_SHCSR |= SHCSR_MEMFAULTENA;
    __asm volatile("dsb\n isb" ::: "memory");
}

__attribute__((used)) _Noreturn void startup(void) {
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = __bss_start; to < __bss_end; to++) {
        *to = 0u;
    }
    SCS_CPACR |= 0xFu << 20; /* CP10 and CP11: full access */
    SCS_FPCCR |= FPCCR_ASPEN | FPCCR_LSPEN;
    __asm volatile("dsb\n isb" ::: "memory");
    guard_stack();
    SCS_DEMCR |= DEMCR_TRCENA; /* the DWT is reached only with trace enabled */
    DWT_CTRL |= DWT_CYCCNTENA;
    port_start();
    (void)main();
    for (;;) {
    }
}
