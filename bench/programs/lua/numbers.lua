-- Little allocation: a sieve and a matrix.
local limit, primes = 100000, 0
local composite = {}
for i = 2, limit do
  if not composite[i] then
    primes = primes + 1
    for multiple = i * i, limit, i do
      composite[multiple] = true
    end
  end
end
print('primes', primes)

local size = 60
local function matrix(seed)
  local rows = {}
  for i = 1, size do
    rows[i] = {}
    for j = 1, size do
      rows[i][j] = (i * seed + j) % 10
    end
  end
  return rows
end
local a, b, product = matrix(3), matrix(7), {}
for i = 1, size do
  product[i] = {}
  for j = 1, size do
    local sum = 0
    for k = 1, size do
      sum = sum + a[i][k] * b[k][j]
    end
    product[i][j] = sum
  end
end
print('product', product[1][1], product[size][size])
