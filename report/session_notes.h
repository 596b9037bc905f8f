/* SPDX-License-Identifier: Apache-2.0 */
/* What a session learns from the recorder's own notes (note.h): markers, files that travelled along, times, counts. */
#ifndef REPORT_SESSION_NOTES_H
#define REPORT_SESSION_NOTES_H

#include "report/session.h"

/* A PERF_RECORD_EVENT_UPDATE. What makes no sense is left alone. */
void session_take_note(struct session *s, const struct record *r);
/* At the end of the recording: counts the files that are not whole, and hands on what is of use nevertheless. */
void session_give_cut_files(struct session *s);

#endif
