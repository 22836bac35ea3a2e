-- Strings of all lengths: split, replaced, joined, used as keys.
local words = {}
local seed = 42
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

for i = 1, 20000 do
  local length = 2 + random(9)
  local letters = {}
  for j = 1, length do
    letters[j] = string.char(97 + random(26))
  end
  words[i] = table.concat(letters)
end

local text = table.concat(words, ' ')
local frequency = {}
for word in text:gmatch('%a+') do
  local key = word:sub(1, 3)
  frequency[key] = (frequency[key] or 0) + 1
end

local keys = {}
for key in pairs(frequency) do
  keys[#keys + 1] = key
end
table.sort(keys)
print('keys', #keys, keys[1], frequency[keys[1]], keys[#keys])

local changed, times = text:gsub('a(%a)', '<%1>')
print('replaced', times, #changed)

local reversed = ''
for i = 1, 400 do
  reversed = words[i] .. ' ' .. reversed
end
print('reversed', #reversed, reversed:sub(1, 40))

local lines = {}
for i = 1, 5000 do
  lines[#lines + 1] = string.format('%05d: %-12s %8.3f', i, words[i], i / 7)
end
print('lines', #table.concat(lines, '\n'), lines[4711])
