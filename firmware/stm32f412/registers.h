/* The registers that this port uses, named as in RM0402 (STM32F412 reference manual): memory map (table 1) and the
 * register maps of the chapters FLASH, PWR, RCC, GPIO, DMA, EXTI, RTC, USART, DBG. */
#ifndef LAN_REGISTERS_H
#define LAN_REGISTERS_H

#include "scs.h"

#define FLASH_ACR LAN_REG(0x40023C00u)
#define FLASH_ACR_LATENCY_MASK 15u
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

#define PWR_CR LAN_REG(0x40007000u)
#define PWR_CSR LAN_REG(0x40007004u)
#define PWR_CSR_VOSRDY (1u << 14)
#define PWR_CR_LPDS (1u << 0)
#define PWR_CR_DBP (1u << 8)
#define PWR_CR_FPDS (1u << 9)
#define PWR_CR_LPLVDS (1u << 10)
#define PWR_CR_VOS(scale) ((4u - (scale)) << 14) /* scale 1 to 3 */

#define RCC_CR LAN_REG(0x40023800u)
#define RCC_PLLCFGR LAN_REG(0x40023804u)
#define RCC_CFGR LAN_REG(0x40023808u)
#define RCC_CIR LAN_REG(0x4002380Cu)
#define RCC_AHB1ENR LAN_REG(0x40023830u)
#define RCC_APB1ENR LAN_REG(0x40023840u)
#define RCC_BDCR LAN_REG(0x40023870u)
#define RCC_CSR LAN_REG(0x40023874u)

#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW_MASK 3u
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1_2 (4u << 10)
#define RCC_CIR_LSERDYIE (1u << 9)
#define RCC_CIR_PLLRDYIE (1u << 12)
#define RCC_CIR_LSERDYC (1u << 17)
#define RCC_CIR_PLLRDYC (1u << 20)
#define RCC_AHB1_GPIO(port) (1u << (port)) /* A is 0 */
#define RCC_AHB1_GPIO_ALL 0xFFu
#define RCC_AHB1_DMA1 (1u << 21)
#define RCC_APB1_RTCAPB (1u << 10)
#define RCC_APB1_USART3 (1u << 18)
#define RCC_APB1_PWR (1u << 28)
#define RCC_BDCR_LSEON (1u << 0)
#define RCC_BDCR_LSERDY (1u << 1)
#define RCC_BDCR_RTCSEL_MASK (3u << 8)
#define RCC_BDCR_RTCSEL_LSE (1u << 8)
#define RCC_BDCR_RTCSEL_LSI (2u << 8)
#define RCC_BDCR_RTCEN (1u << 15)
#define RCC_BDCR_BDRST (1u << 16)
#define RCC_CSR_LSION (1u << 0)
#define RCC_CSR_LSIRDY (1u << 1)

#define GPIO_MODER(port) LAN_REG(0x40020000u + 0x400u * (port))
#define GPIO_PUPDR(port) LAN_REG(0x4002000Cu + 0x400u * (port))
#define GPIO_BSRR(port) LAN_REG(0x40020018u + 0x400u * (port))
#define GPIO_AFRH(port) LAN_REG(0x40020024u + 0x400u * (port))
#define GPIO_OUTPUT 1u
#define GPIO_ALTERNATE 2u
#define GPIO_ANALOG 3u
#define GPIO_PULLUP 1u

/* DMA1: stream 1 channel 4 is USART3_RX, stream 3 channel 4 is USART3_TX (RM0402, DMA1 request mapping) */
#define DMA1_LISR LAN_REG(0x40026000u)
#define DMA1_LIFCR LAN_REG(0x40026008u)
#define DMA1_CR(stream) LAN_REG(0x40026010u + 0x18u * (stream))
#define DMA1_NDTR(stream) LAN_REG(0x40026014u + 0x18u * (stream))
#define DMA1_PAR(stream) LAN_REG(0x40026018u + 0x18u * (stream))
#define DMA1_M0AR(stream) LAN_REG(0x4002601Cu + 0x18u * (stream))
#define DMA_EN (1u << 0)
#define DMA_HTIE (1u << 3)
#define DMA_TCIE (1u << 4)
#define DMA_FROM_MEMORY (1u << 6)
#define DMA_CIRC (1u << 8)
#define DMA_MINC (1u << 10)
#define DMA_CHANNEL(n) ((n) << 25)
#define DMA_STREAM1_FLAGS 0xF40u
#define DMA_STREAM1_TC (1u << 11)
#define DMA_STREAM3_FLAGS (0x3Du << 22)

#define EXTI_IMR LAN_REG(0x40013C00u)
#define EXTI_RTSR LAN_REG(0x40013C08u)
#define EXTI_PR LAN_REG(0x40013C14u)
#define EXTI_RTC_WAKEUP (1u << 22)

#define RTC_TR LAN_REG(0x40002800u)
#define RTC_DR LAN_REG(0x40002804u)
#define RTC_CR LAN_REG(0x40002808u)
#define RTC_ISR LAN_REG(0x4000280Cu)
#define RTC_PRER LAN_REG(0x40002810u)
#define RTC_WUTR LAN_REG(0x40002814u)
#define RTC_WPR LAN_REG(0x40002824u)
#define RTC_SSR LAN_REG(0x40002828u)
#define RTC_CR_WUCKSEL_DIV2 3u
#define RTC_CR_BYPSHAD (1u << 5)
#define RTC_CR_WUTE (1u << 10)
#define RTC_CR_WUTIE (1u << 14)
#define RTC_ISR_WUTWF (1u << 2)
#define RTC_ISR_INITF (1u << 6)
#define RTC_ISR_INIT (1u << 7)
#define RTC_ISR_WUTF (1u << 10)

#define USART3_SR LAN_REG(0x40004800u)
#define USART3_DR LAN_REG(0x40004804u)
#define USART3_BRR LAN_REG(0x40004808u)
#define USART3_CR1 LAN_REG(0x4000480Cu)
#define USART3_CR3 LAN_REG(0x40004814u)
#define USART_SR_FE (1u << 1)
#define USART_SR_NF (1u << 2)
#define USART_SR_ORE (1u << 3)
#define USART_SR_IDLE (1u << 4)
#define USART_SR_TC (1u << 6)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_IDLEIE (1u << 4)
#define USART_CR1_TCIE (1u << 6)
#define USART_CR1_UE (1u << 13)
#define USART_CR3_EIE (1u << 0)
#define USART_CR3_DMAR (1u << 6)
#define USART_CR3_DMAT (1u << 7)

#define DBGMCU_CR LAN_REG(0xE0042004u)

#define IRQ_RTC_WKUP 3u
#define IRQ_RCC 5u
#define IRQ_DMA1_STREAM1 12u
#define IRQ_USART3 39u

/* NUCLEO-F412ZG (UM1974): the ST-LINK's serial port is USART3 on PD8 and PD9, alternate function 7. The marker lines
 * are on the Arduino pins D8 and D7: no LED (those are PB0, PB7 and PB14), no other function after reset. */
#define PORT_A 0u
#define PORT_D 3u
#define PORT_F 5u
#define PORT_H 7u
#define PIN_UART_TX 8u
#define PIN_UART_RX 9u
#define PIN_INFERENCE 12u
#define PIN_PHASE 13u

#endif
