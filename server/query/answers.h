/* The handlers of route.def that are no acts. For this folder. */
#ifndef NILO_SERVER_QUERY_ANSWERS_H
#define NILO_SERVER_QUERY_ANSWERS_H

#include "server/query/request.h"

typedef void answer_handler(struct request *q);

answer_handler answer_verifications_due, answer_verifications_overdue; /* get_due.c */
answer_handler answer_verifications_condition;                          /* get_condition.c */
answer_handler answer_verifications_summary;                            /* get_due_summary.c */
answer_handler answer_register, answer_register_one, answer_history, answer_fittings; /* get_register.c, get_fittings.c */
answer_handler answer_adjustments, answer_adjustment;                                 /* get_adjustments.c */
answer_handler answer_notices, answer_notice, answer_notice_choices;                  /* get_notices.c */
answer_handler answer_session, answer_sign_in, answer_sign_out, answer_password;      /* session.c */
answer_handler answer_page, answer_page_file, answer_page_facts;                      /* get_page.c */
answer_handler answer_users;                                                          /* get_users.c */
answer_handler answer_hooks, answer_hook, answer_hook_dead;                           /* get_hooks.c */
answer_handler answer_account_use;                                                   /* get_account_use.c */
answer_handler answer_edits, answer_edit;                                            /* get_edits.c */
answer_handler answer_readings, answer_consumption;                                  /* get_readings.c, get_consumption.c */
answer_handler answer_frames;                                                        /* get_frames.c */
answer_handler answer_search;                                                        /* get_search.c */
answer_handler answer_photo, answer_add_photo;                                        /* get_photos.c */
answer_handler answer_live;                                                          /* get_live.c */
answer_handler answer_series;                                                        /* get_series.c */
answer_handler answer_route_day, answer_route_sample, answer_route_signed, answer_rotation;               /* get_route_day.c, get_route_sample.c */
answer_handler answer_cycles, answer_cycle, answer_determinants, answer_preview, answer_unsettled; /* get_cycles.c */
answer_handler answer_rules, answer_rule, answer_rule_versions;               /* get_rules.c */
answer_handler answer_rule_trial;                                                    /* post_trial.c */
answer_handler answer_review, answer_route_review;                        /* get_review.c */
answer_handler answer_point_tier, answer_account_tier, answer_route_tier; /* get_tier.c */
answer_handler answer_figures, answer_figure, answer_figure_list, answer_figure_months; /* get_figures.c */
struct ledger_row;
struct route_day;
/* The row of the route that the path names (views into `t`), and the day that is asked for: today without one. False: refused. */
bool route_day_asked(struct request *q, struct txn *t, int64_t now_s, struct ledger_row *route, struct route_day *out);

answer_handler answer_replays, answer_replay, answer_replay_flags, answer_start_replay, answer_stop_replay; /* get_replays.c */
answer_handler answer_precision;   /* get_precision.c */
answer_handler answer_field_list;  /* get_field_list.c */
answer_handler answer_leak_cases, answer_leak_case; /* get_leak_cases.c */
answer_handler answer_meter_rules; /* get_rules.c */
answer_handler answer_balance;                                                      /* get_balance.c */
answer_handler answer_flags, answer_flag, answer_replacements, answer_budget;        /* get_flags.c, get_replacements.c, get_budget.c */
answer_handler answer_quarantine, answer_rejects, answer_quarantine_summary;         /* get_quarantine.c */
answer_handler answer_papers, answer_paper, answer_paper_meters, answer_stocktake;   /* get_papers.c */
answer_handler answer_model_accuracy;                                                 /* get_accuracy.c */
answer_handler answer_quality, answer_model_survival, answer_supplier_survival;       /* get_quality.c */
answer_handler answer_orders, answer_order;                                          /* get_orders.c */
answer_handler answer_stock;                                                         /* get_stock.c */
answer_handler answer_order_rules;                                                   /* get_order_rules.c */
answer_handler answer_tours, answer_tour;                                            /* get_tours.c */
answer_handler answer_sample;                                                        /* get_sample.c */
answer_handler answer_seals, answer_modems_of, answer_meters_of;                     /* get_assets.c */
answer_handler answer_keys;                                                          /* get_keys.c */
answer_handler answer_visits;                                                        /* get_visits.c */
answer_handler answer_rechecks, answer_accuracy;                                      /* get_rechecks.c */
answer_handler answer_offsets;                                                       /* get_offsets.c */
answer_handler answer_commands;                                                      /* get_commands.c */
answer_handler answer_audit, answer_audit_verify;                                                     /* get_audit.c */
answer_handler answer_clock, answer_stat, answer_metrics, answer_healthz, answer_readyz; /* get_state.c */
answer_handler answer_openapi;                                                       /* openapi.c */
answer_handler answer_export;                                                        /* get_export.c */
answer_handler answer_recipes, answer_recipe, answer_add_recipe;                     /* get_recipes.c, post_recipe.c */
answer_handler answer_settle, answer_import;                                         /* post_settle.c, post_import.c */
answer_handler answer_push_chirpstack, answer_push_tts, answer_push_aep, answer_push_onenet, answer_push_iotda, answer_onenet_echo; /* post_ingest.c */

#endif
