-- Many small tables that live shortly, some that live long: binary trees.
local function tree(depth)
  if depth == 0 then
    return {}
  end
  return { tree(depth - 1), tree(depth - 1) }
end

local function count(node)
  return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end

local long_lived = tree(12)
for depth = 4, 12, 4 do
  local sum = 0
  for _ = 1, 2 ^ (13 - depth) do
    sum = sum + count(tree(depth))
  end
  print('trees', depth, sum)
end
print('long-lived', count(long_lived))
