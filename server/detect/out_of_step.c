/* out-of-step (机电不同步): the dial and what the transmitter counted have come apart.
 *
 *   raised   with a dial read (a person's, a photo, the fitting's end index) that lies outside of all that the transmitter can have counted at that instant by more than one pulse and 1 %
 *            of the use since the dial read before, at least 1 m³; the offset that is known to stand between the two counted in
 *   cleared  with a dial read that agrees again, or when an offset is told
 *   none     for one read alone, once the next agrees and the transmitter went on as before: that was a slip of the pen
 *   surer    60 % with one read, 75 % with a photo, 85 % with two, 95 % with more
 *   lost     where the dial is ahead: what the transmitter missed, spread over the days since dial and transmitter last agreed
 *
 * It follows from no step of the register: server/billing/dials.h compares, the judge (server/judge_dials.c) asks it where somebody read the dial.
 * Source: handbook of the fleet, §1.6 and §5.2 rule 14. */
#include "server/detect/detect_priv.h"

static void out_of_step_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                                struct wr *zh)
{
    int64_t off = verdict_value(v, "off_l"), offset = verdict_value(v, "offset_l");
    int64_t at_s = verdict_value(v, "dial_at"), apart = off < 0 ? -off : off;

    wr_text(en, "On ");
    say_minute(en, p->zone, at_s);
    wr_format(en, " the dial stood ");
    say_volume(en, apart);
    wr_format(en, "%s what the transmitter counted; up to ", off > 0 ? " above" : " below");
    say_volume(en, verdict_value(v, "tolerance_l"));
    wr_text(en, " would be nothing unusual. ");
    if (offset) {
        wr_text(en, "That a constant ");
        say_volume(en, offset);
        wr_text(en, " stand between the two is counted in. ");
    }
    wr_text(en,
            "Read the dial again; if it holds, look at the transmitter and tell the offset anew.");

    wr_text(zh, "表盘读数");
    say_minute(zh, p->zone, at_s);
    wr_text(zh, off > 0 ? "比电子计数高" : "比电子计数低");
    say_volume(zh, apart);
    wr_text(zh, "，允许差");
    say_volume(zh, verdict_value(v, "tolerance_l"));
    if (offset) {
        wr_text(zh, "（已计入固定差");
        say_volume(zh, offset);
        wr_text(zh, "）");
    }
    wr_text(zh, "。请复读表盘；如属实，检查发讯装置并重新登记机电差值。");
}

const struct detector detector_out_of_step = {
    .flag = "out-of-step",
    .explain = out_of_step_explain,
};
