// SPDX-License-Identifier: GPL-2.0-only
///
/// Logically offline pages - PageOffline() - have no references, and their
/// page type belongs to mm/. Drivers take pages offline and free them by the
/// functions in include/linux/offline_page.h; those that keep the pages of
/// onlined memory offline find them without references. See
/// Documentation/mm/offline_pages.rst.
///
//# What is found by the name of a function is certain. That a page is offline
//# where its references change is seen within one function only.
///
// Confidence: High
// Options: --no-includes --include-headers
//
// Keywords: PageOffline, alloc_offline_page, free_offline_page
//

virtual context
virtual org
virtual report

@initialize:python@
@@
import re

def is_foreign(position):
	path = position[0].file
	return not re.search(r"^(.*/)?mm/(tests/)?[^/]*$", path) or \
	       re.search(r"(^|/)arch/", path) is not None

//----------------------------------------------------------
//  The page type and its flags
//----------------------------------------------------------

@by_hand@
identifier setter =~ "^__(Set|Clear)Page(Movable)?Offline$|^__folio_(set|clear)_(movable_)?offline$";
position p : script:python() { is_foreign(p) };
@@

* setter@p(...)

@type_by_hand@
symbol PGTY_offline, PGTY_movable_offline;
expression page;
position p : script:python() { is_foreign(p) };
@@

(
* page->page_type@p = <+... PGTY_offline ...+>
|
* page->page_type@p = <+... PGTY_movable_offline ...+>
)

@flag_by_hand@
symbol PG_offline_skippable, PG_offline_never_onlined;
identifier change =~ "^(__)?(set|clear|change|assign|test_and_set|test_and_clear)_bit$";
position p : script:python() { is_foreign(p) };
@@

(
* change@p(PG_offline_skippable, ...)
|
* change@p(PG_offline_never_onlined, ...)
)

//----------------------------------------------------------
//  References
//----------------------------------------------------------

@of_allocated@
identifier allocate =~ "^alloc_offline_pages?$";
identifier change =~ "^(get_page|put_page|init_page_count|set_page_count|page_ref_(set|add|sub|inc|dec|unfreeze|freeze).*|__free_pages?|free_reserved_pages?|put_page_testzero)$";
expression page, other;
position p : script:python() { is_foreign(p) };
@@

  page = allocate(...);
  ... when != page = other
      when != lend_offline_page(page)
* change@p(page, ...)

@of_declared@
identifier allocate =~ "^alloc_offline_pages?$";
identifier change =~ "^(get_page|put_page|init_page_count|set_page_count|page_ref_(set|add|sub|inc|dec|unfreeze|freeze).*|__free_pages?|free_reserved_pages?|put_page_testzero)$";
identifier page;
expression other;
position p : script:python() { is_foreign(p) };
@@

  struct page *page = allocate(...);
  ... when != page = other
      when != lend_offline_page(page)
* change@p(page, ...)

@of_offline@
identifier change =~ "^(get_page|put_page|init_page_count|set_page_count|page_ref_(set|add|sub|inc|dec|unfreeze|freeze).*|__free_pages?|free_reserved_pages?|put_page_testzero)$";
expression page;
position p : script:python() { is_foreign(p) };
@@

  if (PageOffline(page)) {
  <+...
* change@p(page, ...)
  ...+>
  }

@callback@
identifier online;
@@

(
  set_online_page_callback(online)
|
  set_online_page_callback(&online)
)

@of_onlined@
identifier callback.online;
identifier change =~ "^(get_page|put_page|init_page_count|set_page_count|page_ref_(set|add|sub|inc|dec|unfreeze|freeze).*|__free_pages?|free_reserved_pages?|put_page_testzero)$";
position p : script:python() { is_foreign(p) };
@@

  online(...)
  {
  <+...
* change@p(...)
  ...+>
  }

//----------------------------------------------------------
//  Old ways to the buddy
//----------------------------------------------------------

@exposed@
symbol generic_online_page;
position p : script:python() { is_foreign(p) };
@@

* generic_online_page@p

@freed_range@
identifier allocate =~ "^alloc_offline_page_range$";
expression pfn, other;
position p : script:python() { is_foreign(p) };
@@

  allocate(pfn, ...)
  ... when != pfn = other
* free_contig_range@p(pfn, ...)

//----------------------------------------------------------
//  Messages
//----------------------------------------------------------

@script:python depends on report@
p << by_hand.p;
setter << by_hand.setter;
@@

coccilib.report.print_report(p[0], f"WARNING: {setter}() outside of mm/: use linux/offline_page.h")

@script:python depends on report@
p << type_by_hand.p;
@@

coccilib.report.print_report(p[0], "WARNING: page type of an offline page set by hand: use linux/offline_page.h")

@script:python depends on report@
p << flag_by_hand.p;
@@

coccilib.report.print_report(p[0], "WARNING: flag of an offline page changed by hand: use linux/offline_page.h")

@script:python depends on report@
p << of_allocated.p;
change << of_allocated.change;
@@

coccilib.report.print_report(p[0], f"WARNING: {change}() on an offline page, which has no references")

@script:python depends on report@
p << of_declared.p;
change << of_declared.change;
@@

coccilib.report.print_report(p[0], f"WARNING: {change}() on an offline page, which has no references")

@script:python depends on report@
p << of_offline.p;
change << of_offline.change;
@@

coccilib.report.print_report(p[0], f"WARNING: {change}() on an offline page, which has no references")

@script:python depends on report@
p << of_onlined.p;
change << of_onlined.change;
@@

coccilib.report.print_report(p[0], f"WARNING: {change}() on a page that is onlined, and has no references")

@script:python depends on report@
p << exposed.p;
@@

coccilib.report.print_report(p[0], "WARNING: generic_online_page() outside of mm/: use free_offline_page_range()")

@script:python depends on report@
p << freed_range.p;
@@

coccilib.report.print_report(p[0], "WARNING: free_contig_range() of offline pages: use free_offline_page_range()")

@script:python depends on org@
p << by_hand.p;
@@

coccilib.org.print_todo(p[0], "page type of an offline page set by hand")

@script:python depends on org@
p << type_by_hand.p;
@@

coccilib.org.print_todo(p[0], "page type of an offline page set by hand")

@script:python depends on org@
p << flag_by_hand.p;
@@

coccilib.org.print_todo(p[0], "flag of an offline page changed by hand")

@script:python depends on org@
p << of_allocated.p;
@@

coccilib.org.print_todo(p[0], "reference of an offline page")

@script:python depends on org@
p << of_declared.p;
@@

coccilib.org.print_todo(p[0], "reference of an offline page")

@script:python depends on org@
p << of_offline.p;
@@

coccilib.org.print_todo(p[0], "reference of an offline page")

@script:python depends on org@
p << of_onlined.p;
@@

coccilib.org.print_todo(p[0], "reference of a page that is onlined")

@script:python depends on org@
p << exposed.p;
@@

coccilib.org.print_todo(p[0], "generic_online_page() outside of mm/")

@script:python depends on org@
p << freed_range.p;
@@

coccilib.org.print_todo(p[0], "free_contig_range() of offline pages")
