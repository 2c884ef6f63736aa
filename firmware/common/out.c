/* Gathers text in RAM (the port sends by DMA) and hands it on line by line. */
#include "out.h"

#include "port.h"

static char s_buffer[128];
static size_t s_used;

void out_flush(void) {
    if (s_used != 0u) {
        port_write(s_buffer, s_used);
        s_used = 0u;
    }
}

static void put(char c) {
    if (s_used == sizeof s_buffer) {
        out_flush();
    }
    s_buffer[s_used++] = c;
}

void out_bytes(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        put(text[i]);
    }
}

void out(const char *text) {
    while (*text != '\0') {
        put(*text++);
    }
}

void out_u32(uint32_t value) {
    char digits[10];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    while (n != 0u) {
        put(digits[--n]);
    }
}

static char hex_digit(uint32_t nibble) { return "0123456789abcdef"[nibble & 15u]; }

void out_hex8(uint8_t value) {
    put(hex_digit((uint32_t)value >> 4));
    put(hex_digit(value));
}

void out_hex32(uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out_hex8((uint8_t)(value >> shift));
    }
}

void out_line(const char *text) {
    out(text);
    out("\r\n");
    out_flush();
}
