#include "hear.h"

#include "buffer.h"
#include "config.h"
#include "liquid_audio_metrics.h"
#include "model.h"
#include "out.h"
#include "pipeline.h"
#include "port.h"
#include "run.h"

/* The receive buffer is that of `db`. In front stays what filled no frame of the piece before; a piece has the rest,
 * and that is whole frames: a host that sends the most it may leaves nothing over. */
#define PIECE_MAX (LAN_DB_BYTES - 2u * LAN_FRAME)
#define IDLE_MS 500u /* the host has paused so long: it will send no more of this piece */
#define SETTLE_MS 20u /* silence that ends a piece gone wrong */

static struct {
    uint32_t on;   /* between `start` and `end` */
    uint32_t over; /* samples in front of the buffer that fill no frame yet */
    uint32_t frames, ran, dropped;
} s_heard;

void lan_hear_forget(void) { s_heard.on = 0u; }

static void field(const char *name, uint32_t value) {
    out(name);
    out_u32(value);
}

static void start(void) {
    (void)lan_buffer_take();
    lan_pipeline_reset();
    s_heard.over = s_heard.frames = s_heard.ran = s_heard.dropped = 0u;
    s_heard.on = 1u;
    field("m-lnn-hear-start-[max=", PIECE_MAX);
    out_line("]");
}

/* One frame, back to back with the one before: its audio followed that one's. Returns 1 if the network ran. */
static uint32_t hear_frame(const int16_t *pcm) {
    const uint32_t ran = lan_run_frame(pcm, (float)LAN_HOP / (float)LAN_SAMPLE_RATE) ? 1u : 0u;
    s_heard.frames++;
    s_heard.ran += ran;
    return ran;
}

static void piece(uint32_t size, uint32_t checksum) {
    int16_t *const samples = lan_buffer_take();
    uint8_t *const bytes = (uint8_t *)(samples + s_heard.over);
    port_read_start(bytes, size);
    field("m-lnn-hear-ready-[", size);
    out_line("]");
    const uint32_t got = (uint32_t)port_read_finish(IDLE_MS);
    const uint32_t lost = port_take_rx_lost(); /* answered here: it is no damage to the next command */
    if (got < size || lost != 0u || lnn_crc32(0u, bytes, size) != checksum) {
        const uint32_t frames = (size / 2u + LAN_FRAME - 1u) / LAN_FRAME;
        s_heard.dropped += frames;
        lnn_record_dropped(frames);
        lnn_record_error(1u);
        port_read_start(bytes, size); /* what comes behind a piece that was garbled is no command */
        (void)port_read_finish(SETTLE_MS);
        (void)port_take_rx_lost();
        if (got < size) {
            field("e-[Audio: got ", got);
            field(" of ", size);
            out_line(" bytes]");
        } else {
            lan_error("Audio: checksum differs");
        }
        return;
    }
    const uint32_t count = s_heard.over + size / 2u;
    uint32_t frames = 0, ran = 0;
    for (; count - frames * LAN_FRAME >= LAN_FRAME; frames++) {
        ran += hear_frame(samples + frames * LAN_FRAME);
    }
    s_heard.over = count - frames * LAN_FRAME;
    for (uint32_t i = 0; frames != 0u && i < s_heard.over; i++) {
        samples[i] = samples[frames * LAN_FRAME + i];
    }
    field("m-lnn-hear-taken-[frames=", frames);
    field(",ran=", ran);
    out_line("]");
}

static void end(void) {
    if (s_heard.over != 0u) {
        int16_t *const samples = lan_buffer_take();
        for (uint32_t i = s_heard.over; i < LAN_FRAME; i++) {
            samples[i] = 0;
        }
        (void)hear_frame(samples);
    }
    s_heard.on = 0u;
    if (s_heard.frames == 0u) {
        lan_error("Audio: nothing was heard");
        return;
    }
    const float *const probabilities = lan_pipeline_result()->probabilities;
    uint32_t best = 0;
    for (uint32_t i = 1; i < LAN_CLASSES; i++) {
        best = probabilities[i] > probabilities[best] ? i : best;
    }
    field("m-lnn-heard-[class=", best);
    out(",label=");
    out(lan_labels[best]);
    field(",confidence=", (uint32_t)(probabilities[best] * 1000.0f + 0.5f));
    field(",frames=", s_heard.frames);
    field(",ran=", s_heard.ran);
    field(",dropped=", s_heard.dropped);
    out_line("]");
}

/* Eight hexadecimal digits; 0 = something else. */
static int parse_checksum(const char *text, uint32_t *value) {
    uint32_t v = 0, digits = 0;
    for (; text[digits] != '\0'; digits++) {
        const int digit = lan_hex_digit(text[digits]);
        if (digit < 0 || digits == 8u) {
            return 0;
        }
        v = v << 4 | (uint32_t)digit;
    }
    *value = v;
    return digits == 8u;
}

void lan_hear(const lan_args *args) {
    uint32_t size, checksum;
    if (args->count == 3 && lan_same(args->word[2], "start")) {
        start();
    } else if (s_heard.on == 0u) {
        lan_error("Audio: say lnn hear start first");
    } else if (args->count == 3 && lan_same(args->word[2], "end")) {
        end();
    } else if (args->count < 3 || !lan_parse_u32(args->word[2], 2u, PIECE_MAX, &size) || size % 2u != 0u) {
        lan_error_number("lnn hear size in bytes, even,", 2u, PIECE_MAX);
    } else if (args->count != 4 || !parse_checksum(args->word[3], &checksum)) {
        lan_error("lnn hear checksum must be 8 hex digits");
    } else {
        piece(size, checksum);
    }
}
