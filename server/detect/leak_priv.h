/* What leak.c, leak_flow.c and leak_nights.c share: one meter's state, packed. For server/detect
 * only. */
#ifndef NILO_SERVER_DETECT_LEAK_PRIV_H
#define NILO_SERVER_DETECT_LEAK_PRIV_H

#include "server/detect/detect_priv.h"

#define NIGHT_HOURS 5 /* a night is 0 to 5 o'clock, civil time */
#define NIGHTS 21     /* that are kept */
#define NIGHTS_LEAST 7
#define NOT_YET 255 /* instead of a flow's code */
#define TICK_S 20

struct leak {
    uint32_t since_s;  /* the last step that flowed less than `calm` ended; while a flag stands: its
                         onset */
    uint32_t raised_s; /* 0: no flag */
    union {
        struct {
            uint16_t borne; /* tenths of an hour since then that readings bear out */
            uint8_t calm;
        } wait;
        float lost_l; /* while a flag stands */
    };
    uint16_t window_ticks, window_pulses, pause_ticks;
    uint8_t day;                     /* of the newest night: its low 8 bits */
    uint8_t night_low, night_tenths; /* tenths of an hour that readings bear out */
    uint8_t usual, told, first;      /* usual flow, size now and at first */
    uint8_t flags, run;              /* nights that bore it out when it was raised */
    uint8_t since;                   /* nights since it was raised or, without a flag, ended */
    uint8_t turn;                    /* nights since `most_then` was taken */
    uint8_t most_then,
        most_before; /* the highest of the NIGHTS nights before that; one turn older */
    uint8_t count;
    uint8_t nights[NIGHTS]; /* the least flow of each night known, the latest first */
};
_Static_assert(sizeof(struct leak) == LEAK_STATE, "of a meter's room");

enum {
    NIGHT_AT_HAND = 1,
    NO_EVIDENCE = 2, /* it tells nothing: water flowed back in it, or none was there */
    BY_NIGHT = 4,    /* the leak at hand pauses by day */
    HAD_LEAK = 8,    /* `since` counts from its end */
    AGAIN = 16,      /* the leak at hand comes and goes */
    HOUSEHOLD = 32,  /* when it was raised: few people */
    FEW_THEN = 64,   /* by the nights of most_then */
    FEW_BEFORE = 128 /* and of most_before */
};

/* ---- leak_flow.c ---- */

/* A flow in a byte: 4 bits of exponent, 4 of mantissa, from 0.25 to 15 360 L/h within 3.2 %; 0:
 * less. */
uint8_t flow_code(float lph);
float flow_lph(uint8_t code);
/* `*code` becomes the flow if that is less, or if there is NOT_YET one. */
void flow_lower(uint8_t *code, float lph);

float leak_pulse_l(const struct judge_place *p);
bool leak_is_fine(const struct judge_place *p); /* pulses that tell single hours */
/* The least flow that is looked for, in litres an hour. */
float leak_least_lph(const struct judge_place *p);

/* What a step leaves room for, and what a window that it completes had. */
struct leak_flow {
    float most_lph; /* no constant flow larger than this can have run */
    float mean_lph; /* below 0: no window is complete */
};
struct leak_flow leak_flow_take(struct leak *s, const struct judge_place *p,
                                const struct judge_step *step);
void leak_flow_begin(struct leak *s); /* another window */

/* ---- leak_nights.c ---- */

struct leak_proof {
    unsigned run; /* nights */
    bool household;
    float least_lph, mean_lph, most_lph; /* of the run */
    uint8_t usual;
    float nats; /* − ln P(so many such nights by living alone) */
};
/* Of the `run` latest nights against those before: run + NIGHTS_LEAST ≤ count. */
struct leak_proof leak_nights_weigh(const struct leak *s, const struct judge_place *p,
                                    unsigned run);
/* The same against the nights of three to nine weeks ago; nats 0: none are known. */
struct leak_proof leak_nights_weigh_old(const struct leak *s, const struct judge_place *p,
                                        unsigned run);
void leak_nights_push(struct leak *s, const struct judge_place *p, uint8_t low);
void leak_nights_forget(struct leak *s, unsigned run); /* the latest */
/* Below this flow, while no flag stands, nothing unusual runs. */
float leak_nights_calm(const struct leak *s, const struct judge_place *p);

#endif
