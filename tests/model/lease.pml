/* SPDX-License-Identifier: MIT */
/*
 * One step, the workers that want it, and an operator: the protocol of claims, leases and completions
 * in all its interleavings. Steps are independent of each other, so one is enough. Each block between
 * the braces of an atomic is one transaction of a store, or one thing that a process does alone; behind
 * each stands the function of the library that does it.
 *
 * Time is left out: a lease may be over whenever its worker has not renewed it, which is more than a
 * clock allows. What costs no attempt (releases, snoozes, checkpoints, steps that were given back
 * unstarted) may happen FREE times, processes end DEATHS times, and operators want something OPERATIONS
 * times, so that the model is finite.
 *
 * tests/model/run.sh checks it, and each of the faults at the end, which must be found:
 *   NO_FENCE          an answer is accepted whatever token it has
 *   NO_STATE          an answer is accepted whatever state the step is in
 *   LATE_CHARGE       an attempt is charged when it fails, not when it is claimed
 *   REAP_LIVE         steps are taken from workers whose leases hold
 *   KEEP_MARK         marks of an attempt stay in the start log when it is over
 *   BLAME_ALL         a step whose handler never began is charged with its worker's end
 *   FORGET_CRASH      crashes are not counted
 *   DEAF_CANCEL       a cancel leaves a running step to run on
 *   OLD_TOKEN         a redrive begins with the tokens from the start
 *   NO_REAPER         nobody looks for workers that are gone (found as a step that never ends)
 */

#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif
#define CRASHES 2
#ifndef FREE
#define FREE 1
#endif
#ifndef OPERATIONS
#define OPERATIONS 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#define NOBODY WORKERS

mtype = { READY, SCHEDULED, RUNNING, COMPLETED, FAILED, CANCELLED, QUARANTINED };
mtype = { IDLE, HELD, BEGUN, DONE };      /* where a worker is with the step */
mtype = { NO_MARK, MARK_BEGUN, MARK_ENDED }; /* what its start log says, which outlives it */

#define is_over (is_final(state) && operations_left == 0)
#define is_final(s) (s == COMPLETED || s == FAILED || s == CANCELLED || s == QUARANTINED)

/* The step's row. */
mtype state = READY;
byte token = 0;
byte owner = NOBODY;
byte attempts = 0;
byte crashes = 0;

/* A worker's row, its start log, and its process. */
typedef Worker {
	bool is_leased;   /* its lease holds; what was not renewed may be over */
	bool is_buried;   /* its row says that it has stopped: its steps were taken */
	mtype mark;       /* of the step, in its start log */
	bool is_alive;
	mtype phase;
	byte token;       /* of the attempt that it has */
};
Worker w[WORKERS];

/* What an observer knows; nothing above is decided by it. */
byte accepted = 0;        /* successes in this generation */
byte newest = 0;          /* the highest token that was ever given */
byte begun = 0;           /* the newest token whose handler began */
byte ended_processes = 0; /* that ended while the handler ran */
bool is_cancelled = false;
byte free_left = FREE;
byte operations_left = OPERATIONS;
byte deaths_left = DEATHS;

inline move(to)
{
	state = to;
	owner = NOBODY;
}

/* retry.c: sb_retry_decide */
inline retry_or_fail()
{
	if
	:: attempts < ATTEMPTS -> move(SCHEDULED)
	:: else -> move(FAILED)
	fi
}

inline accept(i)
{
	assert(w[i].token == newest);       /* Q7: nothing stale is accepted */
	assert(!is_cancelled);              /* Q12 */
	assert(state == RUNNING);           /* Q13 */
}

inline drop(i)
{
	w[i].phase = IDLE;
	w[i].token = 0;
#ifndef KEEP_MARK
	w[i].mark = NO_MARK;
#endif
}

#if defined(NO_FENCE)
#define holds(i) (state == RUNNING)
#elif defined(NO_STATE)
#define holds(i) (w[i].token == token)
#else
#define holds(i) (state == RUNNING && w[i].token == token)
#endif

proctype worker(byte i)
{
	do
	/* claim.c: sb_claim_grant, claim.c: sb_claim_hand_over */
	:: atomic { w[i].is_alive && !w[i].is_buried && w[i].is_leased && w[i].phase == IDLE &&
	            state == READY ->
		assert(!is_cancelled);
		assert(attempts < ATTEMPTS);                 /* Q8 */
		state = RUNNING;
		owner = i;
		token++;
		assert(token > newest);                      /* Q6 */
		newest = token;
#ifndef LATE_CHARGE
		attempts++;
#endif
		w[i].token = token;
		w[i].phase = HELD }

	/* start_log.c: sb_start_log_mark, called before the handler, or before a poll gives it away */
	:: atomic { w[i].is_alive && w[i].phase == HELD ->
		w[i].mark = MARK_BEGUN;
		if
		:: w[i].token > begun -> begun = w[i].token
		:: else
		fi;
		w[i].phase = BEGUN }

	/* submit.c: sb_submit_win, answer.c: sb_answer_all; the mark comes before the write */
	:: atomic { w[i].is_alive && w[i].phase == BEGUN ->
		w[i].mark = MARK_ENDED;
		w[i].phase = DONE }

	/* settle.c: sb_settle_run with STEPBUS_OUTCOME_SUCCESS */
	:: atomic { w[i].is_alive && w[i].phase == DONE ->
		if
		:: holds(i) ->
			accept(i);
			accepted++;
			assert(accepted == 1);               /* Q4 */
			move(COMPLETED)
		:: else                                      /* sb_settle_explain */
		fi;
		drop(i) }

	/* settle.c: sb_settle_run with STEPBUS_OUTCOME_FAILURE */
	:: atomic { w[i].is_alive && w[i].phase == DONE ->
		if
		:: holds(i) ->
			accept(i);
#ifdef LATE_CHARGE
			attempts++;
#endif
			retry_or_fail()
		:: else
		fi;
		drop(i) }

	/* settle.c: sb_settle_run with _CHECKPOINT, _SNOOZE or _RELEASE: no attempt was made */
	:: atomic { w[i].is_alive && w[i].phase == DONE && holds(i) && free_left > 0 ->
		accept(i);
		free_left--;
		attempts--;
		move(READY);
		drop(i) }

	/* enlist.c: sb_enlist_give_back, of what a line still holds */
	:: atomic { w[i].is_alive && w[i].phase == HELD && free_left > 0 ->
		if
		:: holds(i) -> free_left--; attempts--; move(READY)
		:: else
		fi;
		drop(i) }

	/* enlist.c: sb_enlist_renew; a worker that was buried begins anew, and has lost its step */
	:: atomic { w[i].is_alive && (w[i].is_buried || !w[i].is_leased) ->
		if
		:: w[i].is_buried -> w[i].is_buried = false; drop(i)
		:: else
		fi;
		w[i].is_leased = true }

	/* The process ends, as by SIGKILL. What is in its start log stays. */
	:: atomic { w[i].is_alive && deaths_left > 0 && !is_over ->
		deaths_left--;
		if
		:: w[i].phase == BEGUN && holds(i) -> ended_processes++
		:: else
		fi;
		w[i].is_alive = false;
		w[i].phase = IDLE;
		w[i].token = 0 }

	/* Another process takes its place when it was buried, under a number of its own. */
	:: atomic { !w[i].is_alive && w[i].is_buried ->
		w[i].is_alive = true;
		w[i].is_buried = false;
		w[i].is_leased = true;
		w[i].mark = NO_MARK }

	:: is_over && w[i].phase == IDLE -> break
	od
}

/* Time: what was not renewed is over, also where its worker only stalls; what is due is ready. */
proctype lease_time(byte i)
{
	do
	:: atomic { w[i].is_leased && !w[i].is_alive -> w[i].is_leased = false }
	:: atomic { w[i].is_leased && w[i].is_alive && free_left > 0 && !is_final(state) ->
		free_left--;
		w[i].is_leased = false }
	:: is_over -> break
	od
}

/* sweep.c: sb_sweep_init, whose operation releases what is due */
proctype sweep()
{
	do
	:: atomic { state == SCHEDULED -> state = READY }
	:: is_over -> break
	od
}

#ifdef BLAME_ALL
#define is_begun(i) (w[i].mark != MARK_ENDED)
#else
#define is_begun(i) (w[i].mark == MARK_BEGUN)
#endif

#if defined(NO_REAPER)
#define may_take(i) false
#elif defined(REAP_LIVE)
#define may_take(i) (!w[i].is_buried)
#else
#define may_take(i) (!w[i].is_leased && !w[i].is_buried)
#endif

/* reap.c: sb_reap_run, by whoever sweeps, for one worker that is gone */
proctype reaper(byte i)
{
	do
	:: atomic { may_take(i) ->
		w[i].is_buried = true;
		if
		:: state == RUNNING && owner == i ->
			assert(!w[i].is_leased);             /* Q9 */
			/* settle.c: sb_settle_loss */
			if
#ifndef BLAME_ALL
			:: w[i].mark == NO_MARK -> attempts--; move(READY)
#endif
			:: w[i].mark == MARK_ENDED ->
				assert(begun == token);      /* who never began is not blamed */
				retry_or_fail()
			:: is_begun(i) ->
				assert(begun == token);
#ifndef FORGET_CRASH
				crashes++;
#endif
				if
				:: crashes >= CRASHES -> move(QUARANTINED)
				:: else -> retry_or_fail()
				fi
			fi
		:: else
		fi;
		assert(crashes <= CRASHES);
		assert(ended_processes <= CRASHES) }
	:: is_over -> break
	od
}

proctype operator()
{
	do
	/* control.c: sb_control_cancel */
	:: atomic { operations_left > 0 && !is_final(state) ->
		operations_left--;
		is_cancelled = true;
#ifdef DEAF_CANCEL
		if
		:: state != RUNNING -> move(CANCELLED)
		:: else
		fi
#else
		move(CANCELLED)
#endif
		}
	/* control.c: sb_control_redrive */
	:: atomic { operations_left > 0 && is_final(state) && state != COMPLETED ->
		operations_left--;
		is_cancelled = false;
		accepted = 0;
		ended_processes = 0;
		attempts = 0;
		crashes = 0;
#ifdef OLD_TOKEN
		token = 0;
#endif
		state = READY }
	:: atomic { operations_left > 0 -> operations_left-- } /* or wants nothing */
	:: operations_left == 0 -> break
	od
}

/* So that a model in which nothing moves any more goes on, and is found to. */
proctype idle()
{
	do
	:: !is_over -> skip
	:: is_over -> break
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. WORKERS - 1) {
			w[i].is_leased = true;
			w[i].is_alive = true;
			w[i].phase = IDLE;
			w[i].mark = NO_MARK;
			run worker(i);
			run lease_time(i);
			run reaper(i)
		}
#ifdef LIVE
		run idle();
#endif
		run sweep();
		run operator()
	}
}

/* Q14: what is left alone ends. */
ltl ends { <> [] is_final(state) }
