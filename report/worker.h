/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread of a server: which request it works on, what it has done since its last mark, of which nobody may know yet
 * whose that is, and what it does as a rule. Who works on what, work.c says.
 *
 *	w = workers_get(&all, thread);			lent until the next one is got
 *	worker_note_turn(w, &mark);			first, at each of its marks
 *	worker_give_work(&all, w, slot, &mark);		what it has done up to the mark was for that one
 *	worker_work_on(&all, w, slot);			from now on it works on that one
 *	worker_stop(&all, w);				there are no more marks of it
 *
 * Slots are those of open_requests.h; NO_SLOT is none.
 */
#ifndef REPORT_WORKER_H
#define REPORT_WORKER_H

#include "base/vec.h"
#include "recording/socket_mark.h"
#include "report/open_requests.h"
#include "report/session.h"

/* So many say what is done; what was done when there was less to do, say, is no longer what it does. */
enum { OF_LATE = 64 };

/* So many of each say how they compare. */
enum { WORK_MIN = 8 };

/* So many times. */
enum { LONGER = 3, MUCH_LONGER = 8 };

/* On the CPU: less is what is done beside the work, to write a log or to look for what has expired, and for whom does not matter. */
enum { NEXT_TO_NOTHING_NS = 50 * 1000 };

/* Samples that are held together: a request that began later cannot have any of them. */
struct held_samples {
	uint32_t slot;
	uint64_t nr_requests;	/* that had begun when the first of them was taken */
	uint64_t nr_samples;
};

enum {
	/* Of one thread. When there are more, neighbours become one, and those to come are as large: */
	HELD_MAX = 32,
	/* samples in one of them, at most. A thread of which no mark comes for longer does what it did before. */
	HELD_TOGETHER_MAX = 2048,
};

/* A request; slots are used again. */
struct request_ref {
	uint32_t slot;
	uint64_t id;
};

/* What a thread has done, on the CPU, for the request that it was handed, until it woke who has read that. */
struct handed_back {
	struct request_ref request;	/* id 0: none */
	uint64_t cpu_ns, ns;		/* ns: it woke that one then */
};

/* What was done on the CPU, so many times, of late: what is older counts for half, a quarter ... */
struct work {
	uint32_t nr;
	uint64_t ns;
};

/* What a thread writes to others while it owes one: parts of answers that it has begun, or answers that it has put off. */
enum aside { ASIDE_PART, ASIDE_ANSWER, NR_ASIDES };

/* Writes to others, one right after the other, and the time on the CPU before the first, and at most before the next ones. */
struct asides {
	bool is_on;		/* with its last mark, too */
	enum aside kind;	/* of the first */
	bool is_of_several;	/* on more than one connection */
	bool is_only;		/* it owes just one that it has not begun to answer */
	bool is_caught_up;	/* it has begun with all that it has read since it read those */
	bool is_held;		/* what was done before them, until the answer behind them says whose it was */
	uint64_t conn;		/* the last one */
	uint64_t first_ns, most_ns;
	uint32_t nr_next, nr_long;	/* of these took about as long as the first */
};

/* Of late: what is older counts for half, a quarter ... */
struct aside_ways {
	uint32_t nr_published, nr_in_turn;
};

/* A thread, by the index that it has in the session. */
struct worker {
	uint32_t slot;		/* of the request that it works on; NO_SLOT: none */
	VEC(struct held_samples) held;	/* since its last mark, oldest first */
	uint64_t nr_together;	/* samples that are held together; HELD_TOGETHER_MAX: no more are */
	bool has_calls;		/* counted ones are among what is held, or went to the request at once */
	uint64_t doubtful_id[CALLS_OF_ANY + 1];	/* requests up to this one may have calls of each other */
	uint64_t nobodys_id;	/* up to this one had begun when counted calls went to none */
	bool goes_on_unseen;	/* behind a wait, with an answer begun before: no mark told what for it woke */
	bool is_known;		/* cpu_ns is */
	uint64_t cpu_ns, cpu_at_ns;	/* at its last mark, and when that was */
	uint64_t last_conn;	/* of its last mark, if a client's; else 0 */
	uint16_t last_kind;
	bool has_begun_of_others;	/* an answer, ever; as in struct ways */
	bool has_served;		/* read from a client or written to one, ever */
	/* Of late: what is older counts for half, a quarter ... */
	uint32_t nr_gone_on, nr_left;	/* requests that it read, and then had its next mark for, or for another */
	uint32_t nr_turns;
	uint64_t read_ns, answer_ns;	/* time on the CPU behind a read that nothing was written after, and before an
					   answer that nothing was read before */
	struct work woken, answering;	/* the same before an answer, behind a wait and behind another answer, */
	struct work reading, turning;	/* behind a read, and from one to another one's answer, or to the first */
					/* of several */
	bool is_turning;		/* at its last mark */
	bool is_woken;			/* at its last mark: before that it worked on none that is known */
	bool is_amidst;			/* with its last mark it wrote to another one, and that does not say what it works on */
	struct asides asides;
	struct aside_ways aside_ways[NR_ASIDES];
	uint32_t nr_gathered;		/* connections of clients that it has read from since it answered one */
	bool is_gathered;		/* at its last mark: it answers the last one of several */
	bool may_burst;			/* it has begun to answer several, and had no mark of another connection since */
	uint32_t nr_bursts, nr_singles;	/* of late: it went on with the next answer, or with anything else */
	uint64_t shared_id, joint_id;	/* requests up to these may have time on the CPU of each other; of their endpoint */
	uint32_t nr_owed;		/* requests that it has read, and nobody has answered yet */
	uint32_t nr_begun;		/* of these the answers have begun */
	bool is_owing, owes_mixed;	/* since it owed nothing it has read one, whose name is the next; and others */
	uint32_t owed_path, owed_method;
	VEC(struct request_ref) waiting;	/* that it has read, and has not begun with, oldest first */
	uint64_t waited_id, old_id;		/* the last request when it waited last, and the time before */
	uint32_t nr_at_once, nr_later;		/* of late: answers that it began before it waited, and behind that */
	/* What it hands on: see handed.h. */
	VEC(struct request_ref) unhanded;	/* that it has read since it waited, and not handed on, oldest first */
	struct request_ref last_read;	/* id 0: none; or the only one that it owes */
	VEC(uint32_t) read_paths;	/* of all that it has read since it waited */
	uint32_t nr_hands;		/* what it has handed on since */
	bool has_woken;			/* any that it handed something to; until then that may not be seen */
	bool is_returned;		/* since its last mark it was woken with what it had handed on */
	struct handed_back handed_back;	/* since it waited */
	bool is_handed, is_unsure;	/* it does what others hand to it; another request's, maybe */
	bool is_mixed;			/* and that may be some of its time on the CPU since its last mark */
	bool has_returned;		/* ever: it has woken one that reads or answers */
	bool has_waited;		/* to be woken, since it is known */
	bool is_listed;			/* in `handed` */
	bool is_unseen;			/* it was woken as it went to sleep: what it does is told of when it is woken next */
	uint64_t handed_ns;		/* it was woken then */
	uint64_t marked_ns;		/* its last mark of that, or another one's that handed it something */
	uint64_t answered_ns;		/* what it works on was answered then; 0: not yet */
	struct request_ref left;	/* that it worked on until it waited to be woken; id 0: none */
	/* While it asks other servers for a request that only its next answer will tell: */
	uint64_t peer;			/* connection that it asked on last; 0: it does not */
	bool is_waiting;		/* for what comes from there */
	struct held_samples asked;	/* since it took up the request; slot NO_SLOT: none */
	uint64_t asked_ns;		/* on the CPU */
};

/* Of a process, of late: what is older counts for half, a quarter ... */
struct ways {
	uint32_t nr_begun, nr_begun_of_others;	/* answers; of them to what the thread had not worked on before */
	uint32_t thread;	/* of its last mark, and of all since then: */
	uint64_t alone_ns;
};

/* How often a request of a path is handed to threads that neither read nor answer. */
struct habit {
	uint32_t path;
	double rate;
	bool is_seen;	/* one was, while nothing else was underway in its thread */
};

/* Paths that share a place take turns. */
enum { NR_HABITS = 256 };

struct workers {
	struct session *session;	/* both lent */
	struct open_requests *open;
	VEC(struct worker) all;
	VEC(struct ways) ways;		/* by process */
	struct habit habits[NR_HABITS];
	VEC(uint32_t) handed;		/* threads to which something is handed, and maybe others */
	uint64_t late_ns;		/* from then on one of those may have gone on for long; 0: none will */
	bool has_calls;			/* some are counted */
	uint32_t moved;			/* thread that another one's mark gave work to; UINT32_MAX: none since that was set */
};

void workers_release(struct workers *ws);
/* Its index. */
uint32_t worker_thread(const struct workers *ws, const struct worker *w);
struct worker *workers_get(struct workers *ws, uint32_t thread);
/* Forgets a thread that has ended: another one may have its index. */
void worker_renew(struct worker *w);
/* The same of a process, by the index that it has in the session. */
void workers_forget_process(struct workers *ws, uint32_t process);
/* The id of the request; 0: none. */
uint64_t workers_id_of(const struct workers *ws, uint32_t slot);
/* It has read something for that one; NO_SLOT: for one of several that nobody tells apart. */
void worker_note_owed(struct workers *ws, struct worker *w, uint32_t slot);
/* All that it owes is of the endpoint of that one, which it owes, too. */
bool worker_owes_one_endpoint(const struct workers *ws, const struct worker *w, uint32_t slot);
/* It has read that one, which waits for its answer. */
bool worker_owes(const struct workers *ws, const struct worker *w, const struct open_request *r);

/* ---- what it works on ---- */

/* An answered request is over when nobody works on it any more. */
void worker_close_if_over(struct workers *ws, uint32_t slot);
void worker_work_on(struct workers *ws, struct worker *w, uint32_t slot);
/* Its answer begins. */
void workers_note_begun(struct workers *ws, uint32_t slot);
/* Of what it has read it has not begun to answer so many. */
uint32_t worker_nr_unbegun(const struct worker *w);
/* The request waits no more for its answer: who has read it owes one less. */
void workers_note_answered(struct workers *ws, const struct open_request *r);
/* What its reader did for it has gone to others maybe. */
void workers_note_doubt(struct workers *ws, uint32_t slot);
/* Nobody waits for the request's answer, or works on it, any more. */
void workers_let_go(struct workers *ws, uint32_t slot);
/* No mark says more of it: what is held is that one's that it is known to work on; behind its answer, nobody's. */
void worker_stop(struct workers *ws, struct worker *w);

/* ---- what it has done ---- */

/* What the thread has done from its last mark to this one, its time on the CPU among it, was done for that one. */
void worker_give_work(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m);
/* Its time on the CPU, so far, is that. */
void worker_note_cpu(struct worker *w, uint64_t cpu_ns, uint64_t ns);
/* Its time on the CPU since then, up to the mark: no more than has passed. */
uint64_t worker_ns_since_last(const struct worker *w, const struct socket_mark *m);
/* Its time on the CPU alone, up to the mark, and no more than so much. */
void worker_give_cpu(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m, uint64_t most_ns);
/* To that one what was held since it began, and the rest to what the thread worked on before. */
void worker_give_held(struct workers *ws, struct worker *w, uint32_t slot);
/* What was held is held on, behind the mark. */
void worker_hold_on(struct workers *ws, struct worker *w, const struct socket_mark *m);
/*
 * It asks no more. That was for the request that it answers now, as far as that had begun; NO_SLOT: nobody knows, and
 * `answer` may be NULL.
 */
void worker_give_asked(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *answer);
/* Counted calls since its last mark are that one's, or another's. */
void worker_doubt(struct workers *ws, struct worker *w, uint32_t slot, enum call_doubt doubt);
/* What holds what it does now; NULL: nothing. is_parted: from all that came before a request that has begun since. */
struct held_samples *worker_hold(struct workers *ws, uint32_t thread, bool is_parted);

/* ---- what it does as a rule ---- */

void worker_note_turn(struct worker *w, const struct socket_mark *m);
/* Counts one of a and b, of which there are nr. */
void count_of_late(uint32_t *which, uint32_t *a, uint32_t *b, uint32_t nr);
/* It works for what it has read behind the read: there is more than what reading takes, and less before answers. */
bool worker_works_at_reads(const struct worker *w);
/* It reads from many, works for all of them, and then answers many. */
bool worker_works_for_many(const struct worker *w);
/* The same, also where it answers first what it has read last: it writes its answers together (uvloop). */
bool worker_works_in_batches(const struct worker *w);
/* Behind a wait it works for many, and then answers many (evhttp). */
bool worker_gathers_answers(const struct worker *w);
/*
 * It works for an answer right before it. Who works for several, and then writes them all (libsoup), has worked more
 * before the first one.
 */
bool worker_answers_at_once(const struct worker *w);

/* ---- what it has read and not begun with ---- */

void worker_let_wait(struct workers *ws, struct worker *w, uint32_t slot);
/* It has begun with the request of that id, and so with all that it has read before. */
void worker_begin_up_to(struct worker *w, uint64_t id);
/* It has put off that one's answer: it has begun with a later one, or waited more often than others do. */
bool worker_has_put_off(const struct workers *ws, const struct worker *w, uint32_t slot);
/* It has read nothing since then that it has not begun with. */
bool worker_is_caught_up(const struct workers *ws, const struct worker *w, uint32_t slot);
void worker_note_wait(const struct workers *ws, struct worker *w);
/* It begins that one's answer. */
void worker_begin_answer(const struct workers *ws, struct worker *w, uint32_t slot);
/* NO_SLOT: none waits. */
uint32_t worker_begin_next(struct workers *ws, struct worker *w);

#endif
