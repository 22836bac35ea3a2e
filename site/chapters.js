// What the page teaches of each allocator, in order. The head comments of lib/*.c say it in full.
import { html } from 'lit-html';
import { workloads } from './workloads.js';

const chapters = {
  minimal: {
    lead: html`The simplest allocator there is. It hands memory out from the bottom to the top and
      never takes any back. To allocate is to move one address, the <em>break</em>.`,
    text: html`Each block begins with a <em>head</em>, one word that holds its size: the dark strip
      at its left edge. Only <code>realloc</code> needs it here, to know how much to copy.`,
    malloc: 'constant time',
    free: 'does nothing',
    choose: 'a program that runs once, asks for less than there is, and ends',
    script: `a = alloc 24
b = alloc 100
free a
# it would fit, but a is lost
c = alloc 24
# moves to the end, and copies
b = realloc b 200
free b
free c`,
    watch: html`The heap only grows. After <code>free a</code> nothing happens to the block, and
      <code>c</code>, though it would fit, goes to the end. <code>realloc</code> has to copy.`,
  },
  linked: {
    lead: html`Blocks are given back. A free block needs no payload, so its payload holds a
      <em>link</em> to the next free block. The list costs nothing, and it is in the order of
      addresses.`,
    text: html`To allocate, take the first block that is large enough (<em>first fit</em>), and
      <em>split</em> off what is not needed. To free, find the two free blocks around it, and
      <em>merge</em> with either if it touches.`,
    malloc: 'walks the list',
    free: 'walks the list',
    choose: 'a small heap with few blocks, where every byte counts',
    script: `a = alloc 40
b = alloc 24
c = alloc 40
d = alloc 24
free a
free c
# first fit, split
e = alloc 16
# merges with both neighbours
free b
free e
free d`,
    watch: html`<code>free b</code> closes the gap between two free blocks: three become one. Then
      step through <code>find_link</code> by lines: it visits every free block before the one it
      looks for. Try <em>fragmentation</em>, and watch the bars grow with the list.`,
  },
  doubly: {
    lead: html`Freeing should not walk a list. A free block repeats its size in its last word, the
      <em>boundary tag</em>, so the block behind it finds where it begins. With links both ways it
      leaves the list from wherever it is.`,
    text: html`So the list needs no order, and <code>free</code> takes constant time. The free
      stretch at the end of the heap is <em>the rest</em>. It is in no list, and is taken last, so
      that the used end stays low.`,
    malloc: 'walks the list, until it fits well',
    free: 'constant time',
    choose: 'reading it on the way to the next; or a heap where few blocks are free at a time',
    script: `a = alloc 40
b = alloc 24
c = alloc 40
d = alloc 24
e = alloc 56
free a
free c
# touches the rest
free e
# tags lead to both neighbours
free b
f = alloc 90
free d
free f`,
    watch: html`Compare with 2_linked, <em>first in, first out</em>: there the cost of each
      <code>free</code> goes with the number of free blocks, here it stays. And look at the order of
      the arrows: what was freed last comes first.`,
  },
  bins: {
    lead: html`Now <code>malloc</code> should not search either. Free blocks are sorted into
      <em>bins</em> by size, and a bitmap has a bit for each bin that is not empty.`,
    text: html`To allocate is to compute a bin’s number and to find the next bit that is set. Every
      block in a bin above the request’s is large enough, so the first will do (<em>good fit</em>).
      Small sizes have a bin each; above, eight bins share a power of two.`,
    malloc: 'constant time',
    free: 'constant time',
    choose: 'a program for which the fifth is too large, or where no call may take long',
    script: `a = alloc 20
x = alloc 12
b = alloc 60
y = alloc 12
c = alloc 300
z = alloc 12
free a
free b
free c
# its bin is empty: the next bit
d = alloc 40
# fits exactly
e = alloc 20
f = alloc 280`,
    watch: html`The row of bits. <code>alloc 40</code> finds the block of 64 by one look at the map,
      and what is left of it goes into another bin. The bars stay level, whatever the heap looks
      like.`,
  },
  wasmalloc: {
    lead: html`Most blocks are small, of few sizes, and short-lived. To merge such a block and split
      it off again a moment later is work for nothing. <em>Quick lists</em> defer it: a freed block
      waits on the list of its size, still marked used.`,
    text: html`A size that proves popular gets its blocks many at a time. A <em>run</em> is one
      block with up to 32 <em>objects</em> in it and a bit for each: to free is to set a bit. When
      memory is short, what was deferred is released, and runs are dissolved. All else is 4_bins.`,
    malloc: 'constant time, and a handful of instructions as a rule',
    free: 'the same',
    choose: 'everything, if in doubt',
    script: `a = alloc 24
b = alloc 40
c = alloc 24
# deferred, on the quick list of 32
free a
free c
# comes from there
d = alloc 20
# popular: a run
repeat 34 { alloc 24 }
free newest
free newest
repeat 6 { free oldest }
# a small heap grows: what is deferred stays
e = alloc 600`,
    watch: html`<code>free</code> runs a dozen statements, <code>alloc</code> no more when the list
      has a block. After 32 blocks of a size the next come as objects of a run: to make one is the
      highest bar. The others that are high are those where the heap grows. A large heap looks
      through what is deferred before, so that it grows by less.`,
  },
};

/**
 * The chapter on an allocator.
 *
 * @param {{ name: string, idea: string }} row of lib/allocators.json
 */
export function chapterOf({ name, idea }) {
  return chapters[name] ?? { lead: html`Its idea: ${idea}.`, script: workloads[0].script };
}
