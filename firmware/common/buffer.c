/* `db load N`, `db HEX`, `db print [N] [offset]` with the reference's answers. */
#include "buffer.h"

#include "config.h"
#include "hear.h"
#include "out.h"

static union {
    uint8_t bytes[LAN_DB_BYTES];
    int16_t samples[LAN_DB_BYTES / 2u];
} s_data;
static uint32_t s_size, s_loaded;

lan_buffer_state lan_buffer_audio(const int16_t **samples, uint32_t *count) {
    *samples = 0;
    *count = 0;
    if (s_size == 0u) {
        return LAN_BUFFER_EMPTY;
    }
    if (s_loaded < s_size) {
        return LAN_BUFFER_PARTIAL;
    }
    *samples = s_data.samples;
    *count = s_size / 2u;
    return LAN_BUFFER_READY;
}

int16_t *lan_buffer_take(void) {
    s_size = s_loaded = 0u;
    return s_data.samples;
}

uint32_t lan_buffer_loaded(void) { return s_loaded; }

uint32_t lan_buffer_expected(void) { return s_size; }

static void load(const lan_args *args) {
    uint32_t size;
    if (args->count < 3) {
        lan_error("Command 'db load' requires the # of bytes");
        return;
    }
    if (!lan_parse_u32(args->word[2], 1u, UINT32_MAX, &size)) {
        lan_error("Command 'db load' must be >0 bytes");
        return;
    }
    if (size > LAN_DB_BYTES) {
        out("e-[Supplied buffer size ");
        out_u32(size);
        out(" exceeds maximum of ");
        out_u32(LAN_DB_BYTES);
        out_line("]");
        return;
    }
    lan_hear_forget();
    s_size = size;
    s_loaded = 0;
    out("m-[Expecting ");
    out_u32(size);
    out_line(" bytes]");
}

static void print(const lan_args *args) {
    uint32_t count = s_size, offset = 0;
    if (args->count > 3 && !lan_parse_u32(args->word[3], 0, s_size, &offset)) {
        lan_error_number("db print offset", 0, s_size);
        return;
    }
    count -= offset;
    if (args->count > 2 && !lan_parse_u32(args->word[2], 0, count, &count)) {
        lan_error_number("db print count", 0, count);
        return;
    }
    uint32_t i = 0;
    for (; i < count; i++) {
        if (i % 8u == 0u) {
            out("m-buffer-");
        }
        out_hex8(s_data.bytes[offset + i]);
        if (i % 8u == 7u || i + 1u == count) {
            out_line("");
        } else {
            out("-");
        }
    }
    if (i % 8u != 0u) {
        out_line(""); /* the reference ends a last, short row with an empty line */
    }
}

static void digits(const char *hex) {
    uint32_t length = 0;
    while (hex[length] != '\0') {
        length++;
    }
    if (length % 2u != 0u) {
        lan_error("Insufficent number of hex digits"); /* spelled as the reference spells it */
        return;
    }
    if (s_loaded == s_size) {
        lan_error("Command 'db' has no load in progress");
        return;
    }
    for (uint32_t i = 0; i < length; i += 2u) {
        const int high = lan_hex_digit(hex[i]), low = lan_hex_digit(hex[i + 1u]);
        if (high < 0 || low < 0) {
            out("e-[Invalid hex digit '");
            out_bytes(hex + i, 2u);
            out_line("']");
            return;
        }
        s_data.bytes[s_loaded++] = (uint8_t)(high * 16 + low);
        if (s_loaded == s_size) {
            out_line("m-load-done");
            return; /* digits past the announced size are dropped, as the reference does */
        }
    }
}

void lan_buffer(const lan_args *args) {
    if (args->count < 2) {
        lan_error("Command 'db' requires a subcommand");
    } else if (lan_same(args->word[1], "load")) {
        load(args);
    } else if (lan_same(args->word[1], "print")) {
        print(args);
    } else {
        digits(args->word[1]);
    }
}
