/* Sizes of the audio front end and of the network: the one place where they are chosen.
 * model/generate.py writes its tables for these numbers; frontend_tables.h and model.h check that they agree. */
#ifndef LAN_CONFIG_H
#define LAN_CONFIG_H

#include <stdint.h>

#define LAN_VERSION "0.1.0"

#define LAN_SAMPLE_RATE 8000u /* Hz */
#define LAN_SAMPLES_PER_MS (LAN_SAMPLE_RATE / 1000u)
#define LAN_FRAME 256u /* samples: 32 ms */
#define LAN_HOP_MS 32u /* no overlap: see docs/reference/dut-console.md, "Duty cycle" */
#define LAN_HOP (LAN_HOP_MS * LAN_SAMPLES_PER_MS)

#define LAN_MELS 24u
#define LAN_INPUTS 48u /* of the network: LAN_MELS of the frame, LAN_MELS of the window half a frame earlier */
#define LAN_BACKBONE 64u
#define LAN_HIDDEN 32u
#define LAN_CLASSES 12u /* ten digits, silence, unknown */

/* The energy gate, gate.c: energies are mean squares of the difference between samples, in counts^2. */
#define LAN_GATE_FLOOR 16u /* the noise floor starts here and never falls below */
#define LAN_GATE_RATIO 6u /* a frame this many times above the floor is loud */
#define LAN_GATE_HANG 3u /* frames that still run after a loud one */
/* Words and the answer, pipeline.c. */
#define LAN_PAUSE_MS 320u /* a longer gap between frames that ran ends the word */
#define LAN_WORD_FRAMES 6u /* a later word replaces the answer when so many frames of it have run */

/* Bytes that `db load` may fill: 16 frames of int16 PCM, 0.512 s. */
#define LAN_DB_BYTES 8192u
/* Characters of one console command, terminator excluded. The reference allows 80. */
#define LAN_LINE_MAX 256u
#define LAN_PACE_MAX_MS 60000u
#define LAN_LISTEN_MAX_MS 86400000u
#define LAN_COUNT_MAX 2147483647u /* what the reference's atoi() can read */

_Static_assert(LAN_HOP == LAN_FRAME, "source.c hands out frames that do not overlap");
_Static_assert(LAN_INPUTS == 2u * LAN_MELS, "two windows");

#endif
