-- Tables as records and as arrays that grow, sorted and indexed.
local people = {}
local seed = 7
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

for i = 1, 20000 do
  people[i] = {
    id = i,
    name = 'name ' .. random(100000),
    age = random(90),
    tags = { random(10), random(10) },
  }
end
table.sort(people, function(a, b)
  if a.age ~= b.age then
    return a.age < b.age
  end
  return a.id < b.id
end)
print('youngest', people[1].id, people[1].name)

local by_age = {}
for _, person in ipairs(people) do
  local list = by_age[person.age]
  if not list then
    list = {}
    by_age[person.age] = list
  end
  list[#list + 1] = person
end
local sum = 0
for age = 0, 89 do
  sum = sum + #by_age[age] * age
end
print('ages', sum)

-- A queue: comes at one end and goes at the other.
local queue, first, last = {}, 1, 0
for round = 1, 50000 do
  last = last + 1
  queue[last] = { round, tostring(round) }
  if last - first > 1000 then
    queue[first] = nil
    first = first + 1
  end
end
print('queue', last - first + 1, queue[first][2])
