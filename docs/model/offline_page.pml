/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of an offline page: a model, for spin, of mm/offline_page.c and of
 * those who meet its pages. README.md tells what is modelled and what is not,
 * and how to run it; tests/test_model.py runs it.
 *
 * One memory block of NR pages, and side by side:
 *
 *   skipper   a driver as virtio-mem: its offline pages are skippable
 *   lender    a driver as Xen's balloon: not skippable, and lends its pages out
 *   balloon   inflates and deflates movable offline pages
 *   user      allocates and frees
 *   hotplug   takes the block offline and online again
 *   getter    takes a reference on whatever has one, as folio_try_get() does
 *   observer  reads type, refcount and type, and holds nothing
 *   poisoner  poisons a page, once
 *
 * -DNO_... leaves one of them out. -DBUG_... takes one safeguard away, and
 * -DLIMIT_... an assumption: then there has to be an error.
 *
 * A step of a process is one access to what others can see. atomic {} stands
 * for what is done under zone->lock or by one atomic instruction; and it may
 * contain what only its own process can see, such as which of its pages a
 * driver chooses. A process that has nothing to choose waits: looking in vain
 * changes nothing. So does a process whose choice does not matter any more
 * forget it, for there are fewer states then.
 */
#ifndef NR
#define NR 1
#endif
#ifndef GETTERS
#define GETTERS 1
#endif

mtype = { none, offline, movable_offline };		/* the page type */
mtype = { buddy, taken, poisoned, away };		/* where the page is */
mtype = { nobody, of_skipper, of_lender, of_balloon, of_user };
mtype = { unseen, by_isolation, by_test };		/* memory offlining */

typedef page {
	mtype type = none;
	byte refs;
	bool skippable;
	bool never_onlined;
	bool hwpoison;
	mtype place = buddy;

	/* What its driver remembers. */
	mtype owner = nobody;
	bool lent;

	/* Of its section, for memory offlining. */
	bool counted;

	/* No kernel has these: who counts the page, and what was seen of it. */
	bool managed = true;
	bool watched;			/* the type is as the observer saw it */
	mtype in_the_way = unseen;	/* and as memory offlining saw it */
};

page p[NR];
bool online = true;		/* the block */
bool isolated;			/* its pageblocks: nobody allocates from them */
bool was_lent;			/* a page, since memory offlining looked last */
bool skipper_lock;		/* as hotplug_mutex: the memory notifier takes it */
bool skipper_gone;

#define lock(l)		atomic { !l -> l = true }
#define unlock(l)	l = false

/* Choose one of the pages of which this is true; wait where there is none. */
#if NR == 1
#define pick(this)	if :: this(0) -> i = 0 fi
#define any(this)	(this(0))
#else
#define pick(this)	if :: this(0) -> i = 0 :: this(1) -> i = 1 fi
#define any(this)	(this(0) || this(1))
#endif

#define set_type(i, t) \
	d_step { p[i].type = t; p[i].watched = false; p[i].in_the_way = unseen }

/* Each page is counted once and not twice, by whomever. */
inline account(i)
{
	d_step { assert(!p[i].managed); p[i].managed = true }
}

inline unaccount(i)
{
	d_step { assert(p[i].managed); p[i].managed = false }
}

/* alloc_frozen_pages() */
#define FREE(i)		(online && !isolated && p[i].place == buddy)
inline alloc_frozen(i, who)
{
	p[i].place = taken;
	p[i].owner = who
}

/* The end of every free path. Nothing shall be left of what the page was. */
inline to_buddy(i)
{
	assert(p[i].refs == 0 && p[i].type == none && !p[i].lent);
	p[i].owner = nobody;
	p[i].skippable = false;
	p[i].never_onlined = false;
	if
	:: p[i].place == away ->
		/* See take_away(): its block went away meanwhile. */
		assert(p[i].hwpoison)
	:: else ->
		assert(p[i].place == taken && p[i].managed);
		if
#ifndef BUG_POISON_IS_IGNORED
		:: p[i].hwpoison ->
			p[i].place = poisoned
#endif
		:: else ->
			assert(!p[i].hwpoison);
			p[i].place = buddy
		fi
	fi
}

/*
 * put_page(). The last reference and the free path are one step here: a page
 * that is neither offline nor in the buddy and has no reference is out of
 * everybody's reach.
 */
inline put(i)
{
	assert(p[i].refs > 0);
	p[i].refs--;
	if
	:: p[i].refs == 0 -> to_buddy(i)
	:: else
	fi
}

/* take_offline(), for an allocated page: its refcount is 0 already. */
inline take_offline(i)
{
#ifdef BUG_TYPE_BEFORE_REFCOUNT
	p[i].refs = 1;
#endif
	set_type(i, offline);
#ifdef BUG_TYPE_BEFORE_REFCOUNT
	p[i].refs = 0;
#endif
#ifndef BUG_TAKE_OFFLINE_UNACCOUNTED
	unaccount(i)
#endif
}

/* free_offline_page_range(), up to the free path: to_buddy() is next. */
inline leave_offline(i)
{
#ifndef BUG_FREE_UNACCOUNTED
	account(i);
#endif
	set_type(i, none)
}

/* Of the invariants, those that hold at any time and for every page. */
#define BROKEN(i)							\
	((p[i].type == offline && p[i].refs > 0) ||			\
	 (p[i].type != offline && p[i].refs > 0 &&			\
	  (p[i].skippable || p[i].never_onlined)) ||			\
	 (p[i].place == buddy &&					\
	  (p[i].type != none || p[i].refs > 0 || !p[i].managed ||	\
	   p[i].skippable || p[i].never_onlined || p[i].hwpoison)))
active proctype invariants()
{
end:	atomic { any(BROKEN) -> assert(false) }
}

#ifndef NO_SKIPPER
/*
 * All under the lock that the memory notifier takes as well, which is why the
 * driver knows whether the block is online.
 */
#define PLUGGED(i)	(!skipper_lock && FREE(i))
#define UNPLUGGED(i)	(!skipper_lock && online && \
			 p[i].owner == of_skipper && p[i].type == offline)
#define AWAY(i, who)	(!skipper_lock && !online && \
			 p[i].place == away && p[i].owner == who)
#define AWAY_PLUGGED(i)		AWAY(i, nobody)
#define AWAY_UNPLUGGED(i)	AWAY(i, of_skipper)
active proctype skipper()
{
	byte i;

end:	do
	/* Unplug. */
	:: atomic {
		pick(PLUGGED);
		lock(skipper_lock);
		alloc_frozen(i, of_skipper)
	   };
	   take_offline(i);
	   p[i].skippable = true;
	   atomic { i = 0; unlock(skipper_lock) }
	/* Plug. */
	:: atomic { pick(UNPLUGGED); lock(skipper_lock) };
	   leave_offline(i);
	   atomic { to_buddy(i); i = 0; unlock(skipper_lock) }
	/* Both while the block is offline: remember it. */
	:: atomic { pick(AWAY_PLUGGED); p[i].owner = of_skipper; i = 0 }
	:: atomic { pick(AWAY_UNPLUGGED); p[i].owner = nobody; i = 0 }
	/* Go away, and leave what is unplugged behind. */
	:: atomic { online && !skipper_lock -> lock(skipper_lock) };
#ifdef BUG_SKIPPABLE_CHANGES_WITHOUT_LOCK
	   unlock(skipper_lock);
#endif
#ifndef BUG_SKIPPABLE_STAYS
	   do
	   :: i < NR ->
		if
		:: p[i].owner == of_skipper -> p[i].skippable = false
		:: else
		fi;
		i++
	   :: else -> break
	   od;
#endif
	   atomic {
		i = 0;
		skipper_gone = true;
#ifndef BUG_SKIPPABLE_CHANGES_WITHOUT_LOCK
		unlock(skipper_lock);
#endif
		break
	   }
	od
}
#endif

#ifndef NO_LENDER
#define LENDERS(i)	(p[i].owner == of_lender && p[i].type == offline)
#define LENT(i)		(p[i].owner == of_lender && p[i].lent)
inline count_lent(i)
{
#ifndef BUG_LENT_PAGES_ARE_NOT_COUNTED
	p[i].counted = true;
#endif
#ifndef BUG_LENDING_IS_NOT_COUNTED
	was_lent = true
#endif
}

active proctype lender()
{
	byte i;
	bool got;

end:	do
	/* Inflate. */
	:: atomic { pick(FREE); alloc_frozen(i, of_lender) };
	   take_offline(i);
	   i = 0
	/* Deflate. */
	:: atomic { pick(LENDERS) };
	   leave_offline(i);
	   atomic { to_buddy(i); i = 0 }
	/* Lend: an ordinary page with one reference, which is not managed. */
	:: atomic { pick(LENDERS); count_lent(i) };
	   atomic {
		p[i].lent = true;
#ifdef BUG_LEND_REFERENCE_FIRST
		p[i].refs = 1
#else
		set_type(i, none)
#endif
	   };
#ifndef BUG_LEND_KEEPS_FLAGS
	   d_step { p[i].never_onlined = false; p[i].skippable = false };
#endif
#ifdef BUG_LEND_REFERENCE_FIRST
	   set_type(i, none);
#else
	   p[i].refs = 1;
#endif
	   i = 0
	/* Take back. While somebody else has a reference, the page stays lent. */
	:: atomic {
		pick(LENT);
#if defined(BUG_TAKE_BACK_BY_FORCE)
		p[i].refs = 0;
		got = true
#elif defined(BUG_TAKE_BACK_BY_PUT)
		p[i].refs--;
		got = (p[i].refs == 0)
#elif defined(BUG_TAKE_BACK_IN_TWO_STEPS)
		got = (p[i].refs == 1)
	   };
	   atomic {
		if
		:: got -> p[i].refs = 0
		:: else
		fi
#else
		/* page_ref_freeze(page, 1) */
		got = (p[i].refs == 1);
		if
		:: got -> p[i].refs = 0
		:: else
		fi
#endif
	   };
	   if
	   :: got ->
		atomic { set_type(i, offline); p[i].lent = false };
		p[i].counted = false
	   :: else
	   fi;
	   atomic { i = 0; got = false }
	od
}
#endif

#ifndef NO_BALLOON
/*
 * What it does under its lock is one step: nobody looks at the list of its
 * pages without the lock, and of the page only the type changes.
 */
#define BALLOONS(i)	(p[i].owner == of_balloon && p[i].type == movable_offline)
active proctype balloon()
{
	byte i;

end:	do
	:: atomic { pick(FREE); alloc_frozen(i, of_balloon) };
	   p[i].refs = 1;
	   atomic { set_type(i, movable_offline); i = 0 }
	:: atomic { pick(BALLOONS); set_type(i, none) };
	   atomic { put(i); i = 0 }
	od
}
#endif

#ifndef NO_USER
active proctype user()
{
	byte i;

end:	do
	:: atomic { pick(FREE); alloc_frozen(i, of_user) };
	   p[i].refs = 1;
	   atomic { put(i); i = 0 }
	od
}
#endif

#ifndef NO_GETTER
/* Get a reference on what has one, whatever it is, and let go of it some time. */
#define REFERENCED(i)	(p[i].place != away && p[i].refs > 0)
active [GETTERS] proctype getter()
{
	byte i;

end:	do
	:: atomic {
		pick(REFERENCED);
		assert(p[i].type != offline);
		p[i].refs++
	   };
	   atomic { put(i); i = 0 }
	od
}
#endif

#ifndef NO_OBSERVER
#define OBSERVED(i)	(p[i].type == offline)
#ifdef LIMIT_OBSERVER_MISSES_CHANGES
#define UNCHANGED(i)	true
#else
#define UNCHANGED(i)	p[i].watched
#endif
active proctype observer()
{
	byte i;

end:	do
	:: atomic { pick(OBSERVED); p[i].watched = true };
	   if
	   :: p[i].refs > 0 ->
#ifdef BUG_OBSERVER_LOOKS_ONCE
		assert(false)
#else
		assert(p[i].type != offline || !UNCHANGED(i))
#endif
	   :: else
	   fi;
	   atomic { p[i].watched = false; i = 0 }
	od
}
#endif

#ifndef NO_POISONER
/*
 * memory_failure(). Memory offlining takes a poisoned page without a type for
 * gone, even if somebody has it; so a page that is on its way from the buddy to
 * being offline, or back, can go away with its block. LIMIT_POISON_ON_THE_WAY
 * shows that.
 */
#ifdef LIMIT_POISON_ON_THE_WAY
#define POISONABLE(i)	(online && p[i].place != away)
#else
#define POISONABLE(i)	(online && p[i].place != away && \
			 (p[i].place == buddy || p[i].type != none || \
			  p[i].counted || p[i].owner == of_user))
#endif
active proctype poisoner()
{
	byte i;

end:	atomic {
		pick(POISONABLE);
		p[i].hwpoison = true;
		if
		:: p[i].place == buddy ->
			/* take_page_off_buddy() */
			p[i].place = poisoned;
			p[i].refs = 1
		:: else
		fi;
		i = 0
	}
}
#endif

#ifndef NO_HOTPLUG
/*
 * Invariant 5. Three times memory offlining asks whether a page may stay where
 * it is: when it isolates the block, when it scans for what it has to migrate,
 * and when it looks whether all is done.
 */
#if defined(BUG_NOBODY_ASKS)
#define STAYS(i)	(p[i].type == offline)
#elif defined(BUG_POISON_IS_CONSENT)
#define STAYS(i)	(p[i].type == offline && (p[i].skippable || p[i].hwpoison))
#else
#define STAYS(i)	(p[i].type == offline && p[i].skippable)
#endif
#define STOPS(i)	(p[i].type == offline && !STAYS(i))

#ifdef BUG_ISOLATION_DOES_NOT_ASK
/* But notes what it should have asked for. */
#define STOPS_ISOLATION(i)	false
#else
#define STOPS_ISOLATION(i)	STOPS(i)
#endif
#ifdef BUG_SCAN_DOES_NOT_ASK
#define STOPS_SCAN(i)		false
#else
#define STOPS_SCAN(i)		STOPS(i)
#endif
#ifdef BUG_TEST_DOES_NOT_ASK
#define PASSES_TEST(i)		(p[i].type == offline)
#else
#define PASSES_TEST(i)		STAYS(i)
#endif

/* start_isolate_page_range(): nothing has happened yet if it fails. */
inline isolate()
{
	atomic {
		online && !any(STOPS_ISOLATION) ->
#ifdef BUG_ISOLATION_DOES_NOT_ASK
		do
		:: i < NR ->
			if
			:: STOPS(i) -> p[i].in_the_way = by_isolation
			:: else
			fi;
			i++
		:: else -> i = 0; break
		od;
#endif
		isolated = true
	}
}

/* A balloon page moves: another one takes its place, which is not shown here. */
#define MOVABLE(i)	(p[i].type == movable_offline && p[i].refs > 0)
inline migrate(i)
{
	if
	:: atomic { MOVABLE(i) -> p[i].refs++ };
	   atomic {
		if
		:: p[i].type == movable_offline ->
			set_type(i, none);
			p[i].refs--
		:: else
		fi
	   };
	   atomic { put(i) }
	:: atomic { !MOVABLE(i) }
	fi
}

/* test_pages_isolated() */
inline test_isolated()
{
	atomic {
		again = false;
		do
		:: i < NR ->
			if
			:: p[i].place == buddy || PASSES_TEST(i) ||
			   (p[i].hwpoison && p[i].type == none)
			:: else ->
				again = true;
				/*
				 * Here it goes round again. An offline page does
				 * not go by itself: the scan has to stop at it.
				 */
				if
				:: p[i].type == offline ->
					assert(p[i].in_the_way != by_test);
					p[i].in_the_way = by_test
				:: else
				fi
			fi;
			i++
		:: else -> i = 0; break
		od
	}
}

/*
 * __offline_isolated_pages(). A poisoned page without a type can be one that is
 * being freed at this moment: nothing but its struct page is touched any more.
 */
inline take_away()
{
	atomic {
		do
		:: i < NR ->
			if
			:: p[i].type == offline ->
				assert(p[i].owner == of_skipper && p[i].skippable);
				assert(!p[i].managed)
			:: else ->
				assert(p[i].hwpoison ||
				       (p[i].place == buddy && p[i].refs == 0));
				assert(p[i].managed);
				p[i].managed = false
			fi;
			/* The struct page means nothing until it is initialized. */
			set_type(i, none);
			p[i].skippable = false;
			p[i].place = away;
			i++
		:: else -> i = 0; break
		od;
		online = false
	}
}

/* memmap_init_range(): nobody can see the pages yet. */
inline bring_back()
{
	do
	:: i < NR ->
		p[i].place = taken;
		p[i].type = offline;
		p[i].never_onlined = true;
#ifdef BUG_HOT_ADD_WITH_A_REFERENCE
		p[i].refs = 1;
#endif
		i++
	:: else -> i = 0; break
	od
}

/*
 * The online_page callback of the driver keeps what is unplugged. That of Xen's
 * balloon may keep any page.
 */
#ifdef BUG_ALL_GOES_ONLINE
#define KEPT(i)		false
#else
#define KEPT(i)		(p[i].owner == of_skipper && !skipper_gone)
#endif
inline go_online()
{
	do
	:: i < NR ->
		if
		:: KEPT(i) ->
			p[i].skippable = true
#ifndef NO_LENDER
		:: p[i].owner == nobody ->
			p[i].owner = of_lender
#endif
		:: !KEPT(i) ->
			/* Nothing may be behind what is not plugged. */
			assert(p[i].owner != of_skipper);
			leave_offline(i);
			atomic { to_buddy(i) }
		fi;
		i++
	:: else -> break
	od
}

#define POISONED(i)	p[i].hwpoison
/* lent_pages() */
#define COUNTED(i)	p[i].counted
active proctype hotplug()
{
	byte i;
	bool again, lent;

end:	do
	:: isolate();
	   lock(skipper_lock);		/* MEM_GOING_OFFLINE */
	   do
	   :: goto cancel		/* a signal */
	   :: do
	      :: i < NR ->
		if
		:: atomic {
			STOPS_SCAN(i) ->
			/* It was so before, or else has changed since. */
			assert(p[i].in_the_way != by_isolation);
			goto cancel
		   }
		:: atomic { !STOPS_SCAN(i) };
		   migrate(i)
		fi;
		i++
	      :: else -> i = 0; break
	      od;
	      atomic { lent = any(COUNTED); was_lent = false };
	      test_isolated();
	      if
	      :: lent || was_lent -> goto cancel
	      :: !lent && !was_lent && again -> again = false
	      :: !lent && !was_lent && !again -> break
	      fi
	   od;
	   take_away();
	   isolated = false;
	   unlock(skipper_lock);	/* MEM_OFFLINE */

	   /* A block with a poisoned page does not come back. */
endaway:   atomic {
		!any(POISONED) && !skipper_lock ->
		lock(skipper_lock);	/* MEM_GOING_ONLINE */
		bring_back()
	   };
	   go_online();
	   atomic { i = 0; online = true };
	   unlock(skipper_lock);	/* MEM_ONLINE */
	   goto end;

cancel:	   atomic {
		i = 0;
		again = false;
		lent = false;
		do
		:: i < NR -> p[i].in_the_way = unseen; i++
		:: else -> i = 0; break
		od;
		isolated = false
	   };
	   unlock(skipper_lock)		/* MEM_CANCEL_OFFLINE */
	od
}
#endif
