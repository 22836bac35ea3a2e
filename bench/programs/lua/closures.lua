-- Closures, coroutines and objects with metatables.
local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b)
  return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector)
end

local sum = setmetatable({ x = 0, y = 0 }, Vector)
for i = 1, 60000 do
  sum = sum + setmetatable({ x = i, y = -i }, Vector)
end
print('vector', sum.x, sum.y)

local function counter(start)
  return function(step)
    start = start + step
    return start
  end
end
local counters = {}
for i = 1, 10000 do
  counters[i] = counter(i)
end
local total = 0
for round = 1, 3 do
  for i = 1, #counters do
    total = total + counters[i](round)
  end
end
print('counters', total)

local function generator(limit)
  return coroutine.wrap(function()
    for i = 1, limit do
      coroutine.yield(i)
    end
  end)
end
local yielded = 0
for i = 1, 2000 do
  for value in generator(i % 20) do
    yielded = yielded + value
  end
end
print('yielded', yielded)
