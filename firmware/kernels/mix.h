/* An integer-only load in four parts, each of another kind of work, and each a pure function of its seed. */
#ifndef LAN_MIX_H
#define LAN_MIX_H

#include <stdint.h>

uint32_t mix_list(uint32_t seed);   /* pointers: build a linked list, find, reverse, sort by merging */
uint32_t mix_matrix(uint32_t seed); /* multiply and accumulate: 12 x 12 matrices of int16 */
uint32_t mix_state(uint32_t seed);  /* branches: numbers in a text, told by a state machine */
uint32_t mix_crc(uint32_t seed);    /* shifts: CRC-16/CCITT bit by bit over 256 bytes */

#endif
