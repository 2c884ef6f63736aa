/* The command line: MLPerf Tiny DUT API plus `lnn ...` (docs/reference/dut-console.md). */
#ifndef LAN_CONSOLE_H
#define LAN_CONSOLE_H

#include <stdint.h>

/* Greet, then take one received byte at a time; a command runs when its '%' arrives. */
void lan_console_start(void);
void lan_console_byte(char c);
/* Bytes were lost: the command they belonged to is answered with an error instead of being run. */
void lan_console_lost(void);

/* Shared by the command modules. */
typedef struct {
    int count;
    char *word[8];
} lan_args;

/* Decimal number in [low, high] without sign or trailing characters; 0 = not one. */
int lan_parse_u32(const char *text, uint32_t low, uint32_t high, uint32_t *value);
int lan_hex_digit(char c); /* its value, or -1 */
int lan_same(const char *a, const char *b);
void lan_error(const char *message);
void lan_error_number(const char *what, uint32_t low, uint32_t high);
void lan_print_timestamp(void);

#endif
