-- bit.*: operations on 32 bits, as the BitOp library has them.

local M, host = ...
local band, bor, bxor, low_bits = host.band, host.bor, host.bxor, host.low_bits
local tonumber, select, type, floor, format = tonumber, select, type, math.floor, string.format
local bad_argument, type_name, library_function = M.bad_argument, M.type_name, M.library_function
local TWO32, TWO31, MAGIC = 4294967296, 2147483648, 6755399441055744
local upper, sub = string.upper, string.sub

-- The low 32 bits of a number, rounded to the nearest integer as adding 2^52 + 2^51 does it.
local function bits(name, n, position, value)
  local number = tonumber(value)
  if not number or (type(value) ~= "number" and type(value) ~= "string") then
    bad_argument(position, name, "number expected, got " .. type_name(n, position, value))
  end
  if number ~= number or number == 1 / 0 or number == -1 / 0 then return 0 end
  if number >= 2 ^ 51 or number < -2 ^ 51 then return low_bits(number) end
  if number % 1 ~= 0 then number = (number + MAGIC) - MAGIC end
  return number % TWO32
end

local function signed(number)
  if number >= TWO31 then return number - TWO32 end
  return number
end

local bit = {}

function bit.tobit(...) return signed(bits("tobit", select("#", ...), 1, (...))) end
function bit.bnot(...) return signed(TWO32 - 1 - bits("bnot", select("#", ...), 1, (...))) end

local function fold(name, f)
  bit[name] = function(...)
    local n = select("#", ...)
    local result = bits(name, n, 1, (...))
    for i = 2, n do result = f(result, bits(name, n, i, (select(i, ...)))) end
    return signed(result)
  end
end
fold("band", band)
fold("bor", bor)
fold("bxor", bxor)

local function shifting(name, f)
  bit[name] = function(...)
    local n = select("#", ...)
    local number, count = ...
    number = bits(name, n, 1, number)
    return signed(f(number, bits(name, n, 2, count) % 32))
  end
end
local function left(number, count) return number * 2 ^ count % TWO32 end
local function right(number, count) return floor(number / 2 ^ count) end
shifting("lshift", left)
shifting("rshift", right)
shifting("arshift", function(number, count) return floor(signed(number) / 2 ^ count) % TWO32 end)
shifting("rol", function(number, count) return left(number, count) + right(number, 32 - count) end)
shifting("ror", function(number, count) return right(number, count) + left(number, 32 - count) end)

function bit.bswap(...)
  local number = bits("bswap", select("#", ...), 1, (...))
  local result = 0
  for _ = 1, 4 do
    result = result * 256 + number % 256
    number = floor(number / 256)
  end
  return signed(result)
end

function bit.tohex(...)
  local n = select("#", ...)
  local number, digits = ...
  number = bits("tohex", n, 1, number)
  digits = n < 2 and 8 or signed(bits("tohex", n, 2, digits))
  local text = format("%08x", number)
  if digits < 0 then
    digits, text = -digits, upper(text)
  end
  if digits > 8 then digits = 8 end
  return digits == 0 and "" or sub(text, -digits)
end

for name, f in next, bit do bit[name] = library_function(f) end
M.globals.bit = M.readonly(bit)
