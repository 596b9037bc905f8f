/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the BPF program that counts Python's calls shares with the collector, and where in the memory of
 * CPython 3.11 things lie. Plain integer types only: BPF includes it.
 *
 * A function is a code object. The first time that one is seen what it is called is copied (struct python_function), and
 * gets an id; where that has one it is that one, whichever process it was seen in: so processes that come and go, as
 * servers' workers do, take no room that is not given back. A frame is the interpreter's own struct, which tells its code, and the
 * frame that it returns to: so who called is looked up, and is right however many greenlets take turns on a
 * thread.
 */
#ifndef COLLECTOR_PYTHON_CALLS_H
#define COLLECTOR_PYTHON_CALLS_H

#define PYTHON_MAX_FUNCTIONS (1 << 16)
/* Twice sys.getrecursionlimit() as it is at first. A report takes the square of it. */
#define PYTHON_MAX_DEPTH 2048
/*
 * Where a thread's frames are kept, by address: the addresses of a bucket are one line of a CPU's cache. All
 * together stay below 16 KiB. A frame whose bucket is full is kept with those of all others (python_more).
 */
#define PYTHON_BUCKETS 128
#define PYTHON_BUCKET_FRAMES 8
#define PYTHON_MORE_FRAMES (1 << 16)

#define PYTHON_MIX 0x9e3779b97f4a7c15ULL	/* the golden ratio: odd, and no bits in a row that say nothing */

/* Of Include/internal/pycore_frame.h, Include/cpython/code.h, Include/cpython/unicodeobject.h: 3.11. */
#define PYTHON_FRAME_CODE 0x20
#define PYTHON_FRAME_PREVIOUS 0x30
#define PYTHON_FRAME_INSTRUCTION 0x38
#define PYTHON_FRAME_STATE 0x40		/* stacktop, is_entry, owner */
#define PYTHON_STATE_RUNS(state) ((int)(state) < 0)	/* unless it called in its own loop */
#define PYTHON_STATE_IS_ENTRY(state) ((state) >> 32 & 0xff)	/* has a loop of its own */
#define PYTHON_STATE_OWNER(state) ((state) >> 40 & 0xff)
#define PYTHON_OWNER_GENERATOR 1
#define PYTHON_CODE_FIRST_LINE 0x48
#define PYTHON_CODE_FILE 0x70
#define PYTHON_CODE_NAME 0x78
#define PYTHON_CODE_NR_BEFORE 0xa8	/* instructions before RESUME, which make cells and generators */
#define PYTHON_CODE_INSTRUCTIONS 0xb8
#define PYTHON_INSTRUCTION_BYTES 2
#define PYTHON_TYPE_DEALLOC 0x30	/* of Include/cpython/object.h */
#define PYTHON_TEXT_LENGTH 0x10
#define PYTHON_TEXT_STATE 0x20
#define PYTHON_TEXT_ASCII 0x30		/* where the characters of one begin that is compact and ASCII, */
#define PYTHON_TEXT_WIDE 0x48		/* of another compact one */
#define PYTHON_TEXT_KIND(state) ((state) >> 2 & 7)	/* bytes of a character */
#define PYTHON_TEXT_IS_COMPACT(state) ((state) >> 5 & 1)
#define PYTHON_TEXT_IS_ASCII(state) ((state) >> 6 & 1)

#define PYTHON_FILE_BYTES 512
#define PYTHON_NAME_BYTES 192

/* kind 0: it could not be read; 1: Latin-1, of which ASCII is a part; 2, 4: UCS-2, UCS-4. */
struct python_text {
	unsigned short nr_bytes;	/* of all; may be more than there is room for */
	unsigned short kind;
};

/* By id, which counts from CALL_CORE_OTHER_FUNCTIONS. Compared word by word. */
struct python_function {
	unsigned int line, zero;
	struct python_text file, name;
	unsigned char file_bytes[PYTHON_FILE_BYTES];
	unsigned char name_bytes[PYTHON_NAME_BYTES];
};

struct python_code_key {
	unsigned long long code;	/* address of the code object */
	unsigned int pid, zero;
};

/*
 * What told it from others when it was seen first: when that changes, another one lies there. Where code is made and
 * dropped in a loop each string may lie where the one before did, too: so both are read, as far as a function keeps them.
 * Where a probe sees what code is freed, once in the life of what lies there.
 */
struct python_code_seen {
	unsigned long long process;	/* in which it has not been freed since it was looked at; 0: none */
	unsigned long long file, name;	/* addresses of the strings */
	unsigned int line, id;
};

struct python_bucket {
	unsigned long long frames[PYTHON_BUCKET_FRAMES];	/* 0: free */
	unsigned int nodes[PYTHON_BUCKET_FRAMES];
	unsigned short depths[PYTHON_BUCKET_FRAMES];		/* from 1, the outermost */
};

/* The frames that a thread is in. */
struct python_thread {
	unsigned long long process;	/* tells it from others that had, or will have, its pid, and from what it ran before exec() */
	unsigned long long innermost;	/* the one that runs; 0: it is not known which */
	unsigned long long previous;	/* what that one returns to; 0: it has to be read */
	unsigned long long announced;	/* the one that came by the USDT probe at entries, and by nothing since; 0: none */
	unsigned int nr_more;		/* in python_more */
	unsigned int nr_untold;		/* that there was no room for */
	struct python_function read;	/* what lies at an address now: too long for the stack */
	struct python_bucket buckets[PYTHON_BUCKETS];
};

struct python_more_key {
	unsigned long long frame;
	unsigned int pid, zero;
};

/* node CALL_ROOT, depth 0: none. */
struct python_running {
	unsigned int node, depth;
};

struct python_config {
	unsigned int probe_ns;		/* what a hit takes of the time that is measured */
	unsigned int first_function;
	unsigned int next_function;	/* counted up */
	unsigned int zero;
};

/* By CPU. */
struct python_hits {
	unsigned long long nr_entries, nr_returns;
	unsigned long long nr_lost;	/* hits of both in threads of which nothing could be kept: nobody knows whose calls */
};

/*
 * Cookies: where in struct pt_regs the frame's address is, whether the function is left here, whether a frame may come
 * by here that came by the code for another instruction right before, and whether it is the USDT probe at entries, behind
 * which a frame that is traced comes by others. Or whether code is freed here, then the register has the code object's
 * address; and with all others, whether there is such a place in the file.
 */
#define PYTHON_COOKIE(reg, is_return) ((unsigned long long)(reg) | (is_return ? 1ULL << 16 : 0))
#define PYTHON_COOKIE_AGAIN (1ULL << 17)
#define PYTHON_COOKIE_USDT (1ULL << 18)
#define PYTHON_COOKIE_FREED (1ULL << 19)
#define PYTHON_COOKIE_WITH_FREED (1ULL << 20)
#define PYTHON_COOKIE_REG(cookie) ((unsigned short)(cookie))
#define PYTHON_COOKIE_IS_RETURN(cookie) ((cookie) >> 16 & 1)
#define PYTHON_COOKIE_MAY_BE_AGAIN(cookie) ((cookie) >> 17 & 1)
#define PYTHON_COOKIE_IS_USDT(cookie) ((cookie) >> 18 & 1)
#define PYTHON_COOKIE_IS_FREED(cookie) ((cookie) >> 19 & 1)
#define PYTHON_COOKIE_IS_WITH_FREED(cookie) ((cookie) >> 20 & 1)

#endif
