/* System Control Space, MPU and FPU registers of the Cortex-M4F. Names and offsets: ARMv7-M Architecture Reference
 * Manual (DDI 0403E) B3.2, B3.4, B3.5, C1.6.5 (DEMCR), C1.8 (DWT). */
#ifndef LAN_SCS_H
#define LAN_SCS_H

#include <stdint.h>

#define LAN_REG(address) (*(volatile uint32_t *)(address))

#define SCS_VTOR LAN_REG(0xE000ED08u)
#define SCS_AIRCR LAN_REG(0xE000ED0Cu)
#define SCS_SCR LAN_REG(0xE000ED10u)
#define SCS_CCR LAN_REG(0xE000ED14u)
#define SCS_SHCSR LAN_REG(0xE000ED24u)
#define SCS_CFSR LAN_REG(0xE000ED28u)
#define SCS_HFSR LAN_REG(0xE000ED2Cu)
#define SCS_MMFAR LAN_REG(0xE000ED34u)
#define SCS_BFAR LAN_REG(0xE000ED38u)
#define SCS_CPACR LAN_REG(0xE000ED88u)
#define SCS_DEMCR LAN_REG(0xE000EDFCu)
#define SCS_FPCCR LAN_REG(0xE000EF34u)

#define DWT_CTRL LAN_REG(0xE0001000u)
#define DWT_CYCCNT LAN_REG(0xE0001004u)

#define MPU_CTRL LAN_REG(0xE000ED94u)
#define MPU_RNR LAN_REG(0xE000ED98u)
#define MPU_RBAR LAN_REG(0xE000ED9Cu)
#define MPU_RASR LAN_REG(0xE000EDA0u)

#define NVIC_ISER(n) LAN_REG(0xE000E100u + 4u * (n))
#define NVIC_ICER(n) LAN_REG(0xE000E180u + 4u * (n))
#define NVIC_ICPR(n) LAN_REG(0xE000E280u + 4u * (n))

#define SHCSR_MEMFAULTENA (1u << 16)
#define CFSR_MSTKERR (1u << 4)
#define CFSR_MMARVALID (1u << 7)
#define CFSR_STKERR (1u << 12)
#define CFSR_BFARVALID (1u << 15)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CYCCNTENA (1u << 0)
#define FPCCR_ASPEN (1u << 31)
#define FPCCR_LSPEN (1u << 30)

static inline void nvic_enable(uint32_t irq) { NVIC_ISER(irq / 32u) = 1u << (irq % 32u); }

static inline void nvic_disable(uint32_t irq) { NVIC_ICER(irq / 32u) = 1u << (irq % 32u); }

static inline uint32_t irq_mask(void) {
    uint32_t primask;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
    return primask;
}

static inline void irq_restore(uint32_t primask) { __asm volatile("msr primask, %0" ::"r"(primask) : "memory"); }

/* Sleep until an enabled interrupt is pending. Call with interrupts masked: what became due between the caller's
 * check and the WFI then still wakes the core (ARMv7-M B1.5.19), and its handler runs at irq_restore(). */
static inline void cpu_sleep(void) { __asm volatile("dsb\n wfi\n isb" ::: "memory"); }

#endif
