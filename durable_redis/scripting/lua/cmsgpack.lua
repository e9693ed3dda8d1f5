-- cmsgpack: MessagePack, with the limits, messages and conventions of lua-cmsgpack 0.4.

local M, host = ...
local type, tonumber, tostring, select, error, next = type, tonumber, tostring, select, error, next
local char, byte, sub, floor, concat, unpack = string.char, string.byte, string.sub, math.floor, table.concat, unpack
local pack_double, unpack_double, unpack_float = host.pack_double, host.unpack_double, host.unpack_float
local int_bytes, bytes_int = host.int_bytes, host.bytes_int
local bad_argument, type_name, library_function = M.bad_argument, M.type_name, M.library_function

local NESTING_MAX = 16

-- packing -------------------------------------------------------------------------------------------------------

local function big(number, size) return int_bytes(number, size, true) end

local function packed_number(n)
  if n % 1 == 0 and n >= -2 ^ 63 and n < 2 ^ 63 then
    if n >= 0 then
      if n <= 127 then return char(n) end
      if n <= 0xFF then return "\204" .. char(n) end
      if n <= 0xFFFF then return "\205" .. char(floor(n / 256), n % 256) end
      if n <= 0xFFFFFFFF then return "\206" .. big(n, 4) end
      return "\207" .. big(n, 8)
    end
    if n >= -32 then return char(256 + n) end
    if n >= -128 then return "\208" .. char(256 + n) end
    if n >= -32768 then return "\209" .. big(n, 2) end
    if n >= -2147483648 then return "\210" .. big(n, 4) end
    return "\211" .. big(n, 8)
  end
  return pack_double(n)
end

local function packed_string(text)
  local n = #text
  if n < 32 then return char(160 + n) .. text end
  if n <= 0xFF then return "\217" .. char(n) .. text end
  if n <= 0xFFFF then return "\218" .. big(n, 2) .. text end
  return "\219" .. big(n, 4) .. text
end

local function is_array(t)
  local count, highest = 0, 0
  for key in next, t do
    if type(key) ~= "number" or key <= 0 or key % 1 ~= 0 then return false end
    if key > highest then highest = key end
    count = count + 1
  end
  return highest == count, count
end

local pack

local function pack_table(t, out, n, depth)
  local array, count = is_array(t)
  if array then
    out[n + 1] = count <= 15 and char(144 + count) or count <= 0xFFFF and "\220" .. big(count, 2)
      or "\221" .. big(count, 4)
    n = n + 1
    for i = 1, count do n = pack(t[i], out, n, depth + 1) end
    return n
  end
  count = 0
  for _ in next, t do count = count + 1 end
  out[n + 1] = count <= 15 and char(128 + count) or count <= 0xFFFF and "\222" .. big(count, 2)
    or "\223" .. big(count, 4)
  n = n + 1
  for key, value in next, t do
    n = pack(key, out, n, depth + 1)
    n = pack(value, out, n, depth + 1)
  end
  return n
end

function pack(value, out, n, depth)
  local kind = type(value)
  if kind == "string" then
    out[n + 1] = packed_string(value)
  elseif kind == "number" then
    out[n + 1] = packed_number(value)
  elseif kind == "boolean" then
    out[n + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < NESTING_MAX then
    return pack_table(value, out, n, depth)
  else
    out[n + 1] = "\192"
  end
  return n + 1
end

-- unpacking -----------------------------------------------------------------------------------------------------

local function missing() error("Missing bytes in input.", 0) end

local function text_at(data, at, size)
  if at + size - 1 > #data then missing() end
  return sub(data, at, at + size - 1), at + size
end

local function unsigned(data, at, size)
  if at + size - 1 > #data then missing() end
  if size == 1 then return byte(data, at), at + 1 end
  if size == 2 then
    local high, low = byte(data, at, at + 1)
    return high * 256 + low, at + 2
  end
  return bytes_int(sub(data, at, at + size - 1), true, size == 8), at + size
end

local function signed(data, at, size)
  if at + size - 1 > #data then missing() end
  return bytes_int(sub(data, at, at + size - 1), true, true), at + size
end

local value_at

local function array_at(data, at, count)
  local result = {}
  for i = 1, count do result[i], at = value_at(data, at) end
  return result, at
end

local function map_at(data, at, count)
  local result, key, value = {}, nil, nil
  for _ = 1, count do
    key, at = value_at(data, at)
    value, at = value_at(data, at)
    if key == nil then error({ err = "ERR table index is nil" }, 0) end
    if key ~= key then error({ err = "ERR table index is NaN" }, 0) end
    result[key] = value
  end
  return result, at
end

function value_at(data, at)
  local code = byte(data, at)
  if not code then missing() end
  at = at + 1
  if code <= 127 then return code, at end
  if code >= 224 then return code - 256, at end
  if code < 144 then return map_at(data, at, code - 128) end
  if code < 160 then return array_at(data, at, code - 144) end
  if code < 192 then return text_at(data, at, code - 160) end
  if code == 192 then return nil, at end
  if code == 194 then return false, at end
  if code == 195 then return true, at end
  local size
  if code == 202 then
    local raw, behind = text_at(data, at, 4)
    return unpack_float(raw), behind
  elseif code == 203 then
    local raw, behind = text_at(data, at, 8)
    return unpack_double(raw), behind
  elseif code >= 204 and code <= 207 then
    return unsigned(data, at, 2 ^ (code - 204))
  elseif code >= 208 and code <= 211 then
    return signed(data, at, 2 ^ (code - 208))
  elseif code >= 217 and code <= 219 then
    size, at = unsigned(data, at, 2 ^ (code - 217))
    return text_at(data, at, size)
  elseif code == 220 or code == 221 then
    size, at = unsigned(data, at, code == 220 and 2 or 4)
    return array_at(data, at, size)
  elseif code == 222 or code == 223 then
    size, at = unsigned(data, at, code == 222 and 2 or 4)
    return map_at(data, at, size)
  end
  error("Bad data format in input.", 0)
end

local function unpack_some(name, n, data, limit, offset)
  if type(data) == "number" then data = tostring(data) end
  if type(data) ~= "string" then bad_argument(1, name, "string expected, got " .. type_name(n, 1, data)) end
  if offset < 0 or limit < 0 then
    error("Invalid request to unpack with offset of " .. offset .. " and limit of "
      .. (limit < 0 and #data or limit) .. ".", 0)
  end
  if offset > #data then
    error("Start offset " .. offset .. " greater than input length " .. #data .. ".", 0)
  end
  local everything = limit == 0 and offset == 0
  local found, count, at = {}, everything and 0 or 1, offset + 1
  local left = everything and 1 / 0 or limit
  while at <= #data and left > 0 do
    count = count + 1
    found[count], at = value_at(data, at)
    left = left - 1
  end
  if not everything then found[1] = at > #data and -1 or at - 1 end
  return unpack(found, 1, count)
end

local function integer(name, n, position, value, default)
  if value == nil then return default end
  local number = tonumber(value)
  if not number then bad_argument(position, name, "number expected, got " .. type_name(n, position, value)) end
  return number - number % 1
end

local cmsgpack = {
  _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo", _DESCRIPTION = "MessagePack C implementation for Lua",
}

cmsgpack.pack = library_function(function(...)
  local n = select("#", ...)
  if n == 0 then bad_argument(0, "pack", "MessagePack pack needs input.") end
  local out, count = {}, 0
  for i = 1, n do count = pack((select(i, ...)), out, count, 0) end
  return concat(out)
end)

cmsgpack.unpack = library_function(function(...) return unpack_some("unpack", select("#", ...), (...), 0, 0) end)

cmsgpack.unpack_one = library_function(function(...)
  local n = select("#", ...)
  local data, offset = ...
  return unpack_some("unpack_one", n, data, 1, integer("unpack_one", n, 2, offset, 0))
end)

cmsgpack.unpack_limit = library_function(function(...)
  local n = select("#", ...)
  local data, limit, offset = ...
  if limit == nil then bad_argument(2, "unpack_limit", "number expected, got " .. type_name(n, 2, limit)) end
  return unpack_some("unpack_limit", n, data, integer("unpack_limit", n, 2, limit),
    integer("unpack_limit", n, 3, offset, 0))
end)

M.globals.cmsgpack = M.readonly(cmsgpack)
