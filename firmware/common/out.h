/* Text to the console, without varargs: small, and nothing to get wrong in a format. */
#ifndef LAN_OUT_H
#define LAN_OUT_H

#include <stddef.h>
#include <stdint.h>

void out(const char *text);
void out_bytes(const char *text, size_t length);
void out_u32(uint32_t value);
void out_hex8(uint8_t value);
void out_hex32(uint32_t value);
void out_line(const char *text); /* text and CR LF, and sends what has gathered */
void out_flush(void);

#endif
