-- struct: numbers and strings as bytes by a format, as Roberto Ierusalimschy's library has them.

local M, host = ...
local type, tonumber, tostring, select, error = type, tonumber, tostring, select, error
local char, byte, sub, find, rep, reverse = string.char, string.byte, string.sub, string.find, string.rep, string.reverse
local concat, unpack, floor, log = table.concat, unpack, math.floor, math.log
local int_bytes, bytes_int, float_bytes, bytes_float = host.int_bytes, host.bytes_int, host.float_bytes, host.bytes_float
local bad_argument, type_name, library_function = M.bad_argument, M.type_name, M.library_function

local INTEGER_BYTES_MAX = 32
local ALIGNMENT = 8
local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1, s = 0 }
local KNOWN = "[bBhHlLTfdxsciI<>! \t\n\v\f\r]"

-- Calls `item(option, size, padding)` for each option that stands for data.
local function each(name, spec, item, start)
  local at, big, align, total = 1, false, 1, start or 0
  local function number(default)
    local _, last, digits = find(spec, "^(%d+)", at)
    if not last then return default end
    at = last + 1
    return tonumber(digits)
  end
  while at <= #spec do
    local option = sub(spec, at, at)
    at = at + 1
    if option == "<" or option == ">" then
      big = option == ">"
    elseif option == "!" then
      local wanted = number(ALIGNMENT)
      if wanted == 0 or 2 ^ floor(log(wanted) / log(2) + 0.5) ~= wanted then
        error("alignment " .. wanted .. " is not a power of 2", 0)
      end
      align = wanted
    elseif not find(option, KNOWN) then
      bad_argument(1, name, "invalid format option '" .. option .. "'")
    elseif find(option, "%S") then
      local size = SIZES[option]
      if option == "c" then
        size = number(1)
      elseif option == "i" or option == "I" then
        size = number(4)
        if size > INTEGER_BYTES_MAX then
          error("integral size " .. size .. " is larger than limit of " .. INTEGER_BYTES_MAX, 0)
        end
      end
      local padding = 0
      if size > 0 and option ~= "c" then
        local unit = size < align and size or align
        if unit > 1 then padding = -total % unit end
      end
      total = total + padding
      total = total + item(option, size, padding, big, total)
    end
  end
  return total
end

local function spec_of(name, n, value)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then bad_argument(1, name, "string expected, got " .. type_name(n, 1, value)) end
  return value
end

local function ordered(raw, big) return big and reverse(raw) or raw end

local struct = {}

struct.pack = library_function(function(...)
  local n = select("#", ...)
  local given, used, out = { ... }, 1, {}
  local function take(kind)
    used = used + 1
    local value = given[used]
    if kind == "number" then
      local number = tonumber(value)
      if not number then bad_argument(used, "pack", "number expected, got " .. type(value)) end
      return number
    end
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" then bad_argument(used, "pack", "string expected, got " .. type(value)) end
    return value
  end
  each("pack", spec_of("pack", n, given[1]), function(option, size, padding, big)
    if padding > 0 then out[#out + 1] = rep("\0", padding) end
    local raw
    if option == "x" then
      raw = "\0"
    elseif option == "f" or option == "d" then
      raw = ordered(float_bytes(take("number"), size), big)
    elseif option == "c" or option == "s" then
      raw = take("string")
      if size == 0 then size = #raw end
      if #raw < size then bad_argument(used + 1, "pack", "string too short") end
      raw = sub(raw, 1, size)
      if option == "s" then raw = raw .. "\0" end
    else
      raw = int_bytes(take("number"), size, big)
    end
    out[#out + 1] = raw
    return #raw
  end)
  return concat(out)
end)

struct.unpack = library_function(function(...)
  local n = select("#", ...)
  local spec, data, offset = ...
  spec = spec_of("unpack", n, spec)
  if type(data) == "number" then data = tostring(data) end
  if type(data) ~= "string" then bad_argument(2, "unpack", "string expected, got " .. type_name(n, 2, data)) end
  local start = 0
  if offset ~= nil then
    local number = tonumber(offset)
    if not number then bad_argument(3, "unpack", "number expected, got " .. type(offset)) end
    number = number - number % 1
    if number == 0 then bad_argument(3, "unpack", "offset must be 1 or greater") end
    start = number - 1
  end
  local found, count = {}, 0
  local function short() bad_argument(2, "unpack", "data string too short") end
  local position = start
  each("unpack", spec, function(option, size, padding, big)
    position = position + padding
    if position < 0 or position + size > #data then short() end
    local value
    if option == "x" then
      position = position + 1
      return 1
    elseif option == "f" or option == "d" then
      value = bytes_float(ordered(sub(data, position + 1, position + size), big))
    elseif option == "c" then
      if size == 0 then
        local length = found[count]
        if count == 0 or type(length) ~= "number" then error("format 'c0' needs a previous size", 0) end
        count = count - 1
        size = length
        if size < 0 or position + size > #data then short() end
      end
      value = sub(data, position + 1, position + size)
    elseif option == "s" then
      local stop = find(data, "%z", position + 1)
      if not stop then error("unfinished string in data", 0) end
      value = sub(data, position + 1, stop - 1)
      size = #value + 1
    else
      value = bytes_int(sub(data, position + 1, position + size), big, find(option, "%l") ~= nil)
    end
    count = count + 1
    found[count] = value
    position = position + size
    return size
  end, start)
  found[count + 1] = position + 1
  return unpack(found, 1, count + 1)
end)

struct.size = library_function(function(...)
  return each("size", spec_of("size", select("#", ...), (...)), function(option, size)
    if option == "s" then bad_argument(1, "size", "option 's' has no fixed size") end
    if option == "c" and size == 0 then bad_argument(1, "size", "option 'c0' has no fixed size") end
    return size
  end)
end)

M.globals.struct = M.readonly(struct)
