/* Time and sleep by the RTC (RM0402, chapter RTC), which counts on through Stop mode: calendar and sub-second counter
 * for the time, wake-up timer for the sleep. */
#include "port.h"
#include "registers.h"
#include "startup.h"
#include "stm32f412.h"

#define WAKEUP_DIVIDER 2u /* its steps are two periods of the RTC's clock */
#define SLEEP_MAX 65536u /* ticks at a time: the timer's 16 bits last twice as long */
/* Nearer than this the timer cannot be relied on: the phase of its divider is unknown. */
#define WAKEUP_MARGIN 3u

static uint32_t s_hz; /* of the RTC's clock, and sub-seconds per second */

void rtc_start(uint32_t clock_hz) {
    s_hz = clock_hz;
    RTC_WPR = 0xCAu; /* and left open: only this module writes here */
    RTC_WPR = 0x53u;
    RTC_ISR = RTC_ISR_INIT;
    while ((RTC_ISR & RTC_ISR_INITF) == 0u) { /* two periods of the RTC's clock */
    }
    RTC_PRER = clock_hz - 1u; /* synchronous divider first; asynchronous 1: sub-seconds are single periods */
    RTC_PRER = clock_hz - 1u;
    RTC_TR = 0u;
    RTC_DR = (1u << 13) | (1u << 8) | 1u; /* Monday, 1 January of the year 0 */
    RTC_CR = RTC_CR_BYPSHAD | RTC_CR_WUCKSEL_DIV2 | RTC_CR_WUTIE;
    RTC_ISR = 0u;
    while ((RTC_ISR & RTC_ISR_INITF) != 0u) {
    }
    EXTI_PR = EXTI_RTC_WAKEUP;
    EXTI_RTSR |= EXTI_RTC_WAKEUP;
    EXTI_IMR |= EXTI_RTC_WAKEUP;
    nvic_enable(IRQ_RTC_WKUP);
}

void rtc_irq(void) {
    RTC_CR &= ~RTC_CR_WUTE; /* here already: it may be set anew only two periods after it was switched off */
    RTC_ISR = ~(RTC_ISR_WUTF | RTC_ISR_INIT); /* flags are cleared by zeros, ones leave them alone */
    EXTI_PR = EXTI_RTC_WAKEUP;
    (void)EXTI_PR; /* the write has reached the peripheral before the handler returns */
}

static uint32_t bcd(uint32_t value, uint32_t at, uint32_t tens_mask) {
    return (value >> (at + 4u) & tens_mask) * 10u + (value >> at & 15u);
}

static uint32_t days(uint32_t date) {
    static const uint16_t k_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const uint32_t year = bcd(date, 16u, 15u), month = bcd(date, 8u, 1u), day = bcd(date, 0u, 3u);
    const uint32_t leap = year % 4u == 0u && month > 2u ? 1u : 0u;
    return year * 365u + (year + 3u) / 4u + k_before[month - 1u] + leap + day - 1u;
}

uint64_t port_now(void) {
    /* Read past the shadow registers, so a count may come between two of the reads: again, until nothing has moved. */
    uint32_t fraction, time, date;
    do {
        fraction = RTC_SSR;
        time = RTC_TR;
        date = RTC_DR;
    } while (fraction != RTC_SSR || time != RTC_TR || date != RTC_DR);
    const uint32_t seconds = (bcd(time, 16u, 3u) * 60u + bcd(time, 8u, 7u)) * 60u + bcd(time, 0u, 7u);
    const uint32_t passed = s_hz - 1u - fraction;
    const uint32_t ticks = s_hz == LAN_TICK_HZ ? passed : passed * LAN_TICK_HZ / s_hz;
    return ((uint64_t)days(date) * 86400u + seconds) * LAN_TICK_HZ + ticks;
}

void rtc_sleep(uint64_t tick) {
    const uint32_t primask = irq_mask();
    const uint64_t now = port_now();
    if (now + WAKEUP_MARGIN <= tick) { /* nearer: at most 92 us awake */
        const uint32_t ahead = tick - now < SLEEP_MAX ? (uint32_t)(tick - now) : SLEEP_MAX;
        RTC_CR &= ~RTC_CR_WUTE;
        while ((RTC_ISR & RTC_ISR_WUTWF) == 0u) {
        }
        RTC_WUTR = ahead * s_hz / LAN_TICK_HZ / WAKEUP_DIVIDER; /* and one step more: rather late than early */
        RTC_ISR = ~(RTC_ISR_WUTF | RTC_ISR_INIT);
        EXTI_PR = EXTI_RTC_WAKEUP;
        RTC_CR |= RTC_CR_WUTE;
        sleep_masked();
    }
    irq_restore(primask);
}

void port_sleep_until(uint64_t tick) {
    while (port_now() < tick) {
        rtc_sleep(tick);
    }
}
