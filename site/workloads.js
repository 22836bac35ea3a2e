// Ready-made scripts: how programs ask for memory.
export const workloads = [
  {
    name: 'a first look',
    script: `# three blocks; the middle one goes and comes back
a = alloc 24
b = alloc 100
c = alloc 40
free b
d = alloc 60
free a
free d
free c`,
  },
  {
    name: 'last in, first out',
    script: `# like a stack: what came last goes first
repeat 12 { alloc 16..80 }
repeat 12 { free newest }
repeat 12 { alloc 16..80 }
repeat 12 { free newest }`,
  },
  {
    name: 'first in, first out',
    script: `# like a queue: what came first goes first
repeat 8 { alloc 16..80 }
repeat 24 {
  alloc 16..80
  free oldest
}
repeat 8 { free oldest }`,
  },
  {
    name: 'a random mix',
    script: `# sizes and order at random; another seed is another program
seed 1
repeat 24 { alloc 8..120 }
repeat 40 {
  free random
  alloc 8..120
}
free all`,
  },
  {
    name: 'fragmentation',
    script: `# every second block goes: much is free, in small pieces
repeat 24 { alloc 40 }
free every 2
alloc 100
alloc 100
alloc 40
free all`,
  },
  {
    name: 'a growing vector',
    script: `# an array that doubles when it is full, beside other blocks
v = alloc 16
alloc 24
v = realloc v 32
alloc 24
v = realloc v 64
alloc 24
v = realloc v 128
alloc 24
v = realloc v 256
v = realloc v 200
free v`,
  },
  {
    name: 'a change of phase',
    script: `# first many small blocks, then few large ones
repeat 40 { alloc 16..32 }
free every 2
repeat 20 { free oldest }
repeat 6 { alloc 200..400 }`,
  },
  {
    name: 'one popular size',
    script: `# list nodes: the same size again and again
repeat 48 { alloc 24 }
free every 3
repeat 10 { alloc 24 }
repeat 20 { free newest }`,
  },
  {
    name: 'memory runs out',
    script: `# linear memory has four pages of 64 KiB here
repeat 5 { alloc 60000 }
free oldest
alloc 50000`,
  },
];
