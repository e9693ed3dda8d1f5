-- cjson: JSON, with the limits, messages and conventions of Lua CJSON 2.1.

local M, host = ...
local type, tostring, tonumber, select, error, next, rawget = type, tostring, tonumber, select, error, next, rawget
local find, sub, byte, char, gsub, format, lower = string.find, string.sub, string.byte, string.char, string.gsub, string.format, string.lower
local concat, floor = table.concat, math.floor
local bad_argument, type_name, library_function = M.bad_argument, M.type_name, M.library_function
local null = M.null

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n",
  ["\f"] = "\\f", ["\r"] = "\\r", ["\127"] = "\\u007f" }
for code = 0, 31 do
  local c = char(code)
  ESCAPES[c] = ESCAPES[c] or format("\\u%04x", code)
end
local UNESCAPED = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- encoding ------------------------------------------------------------------------------------------------------

local function quoted(text)
  if find(text, '[%c%z"\\/\127]') then text = gsub(text, '[%c%z"\\/\127]', ESCAPES) end
  return '"' .. text .. '"'
end

local function cannot(kind, why) error("Cannot serialise " .. kind .. ": " .. why, 0) end

local function number_text(cfg, number)
  if number ~= number or number == 1 / 0 or number == -1 / 0 then
    if cfg.encode_invalid_numbers == "null" then return "null" end
    if not cfg.encode_invalid_numbers then cannot("number", "must not be NaN or Inf") end
    return number ~= number and "nan" or number > 0 and "inf" or "-inf"
  end
  return format(cfg.number_format, number)
end

-- The length of a table as an array; nil if it is to be an object.
local function array_length(cfg, t)
  local highest, items = 0, 0
  for key in next, t do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then return nil end
    if key > highest then highest = key end
    items = items + 1
  end
  if cfg.sparse_ratio > 0 and highest > items * cfg.sparse_ratio and highest > cfg.sparse_safe then
    if not cfg.sparse_convert then cannot("table", "excessively sparse array") end
    return nil
  end
  if highest == 0 then return nil end
  return highest
end

local encode

local function encode_table(cfg, t, out, n, depth)
  if depth > cfg.encode_max_depth then error("Cannot serialise, excessive nesting (" .. depth .. ")", 0) end
  local length = array_length(cfg, t)
  if length then
    out[n + 1] = "["
    n = n + 1
    for i = 1, length do
      if i > 1 then
        out[n + 1] = ","
        n = n + 1
      end
      n = encode(cfg, rawget(t, i), out, n, depth)
    end
    out[n + 1] = "]"
    return n + 1
  end
  out[n + 1] = "{"
  n = n + 1
  local first = true
  for key, value in next, t do
    local kind = type(key)
    local name
    if kind == "string" then
      name = quoted(key)
    elseif kind == "number" then
      name = '"' .. number_text(cfg, key) .. '"'
    else
      cannot(kind, "table key must be a number or string")
    end
    out[n + 1] = (first and "" or ",") .. name .. ":"
    first = false
    n = encode(cfg, value, out, n + 1, depth)
  end
  out[n + 1] = "}"
  return n + 1
end

function encode(cfg, value, out, n, depth)
  local kind = type(value)
  if kind == "string" then
    out[n + 1] = quoted(value)
  elseif kind == "number" then
    out[n + 1] = number_text(cfg, value)
  elseif kind == "boolean" then
    out[n + 1] = value and "true" or "false"
  elseif kind == "table" then
    return encode_table(cfg, value, out, n, depth + 1)
  elseif value == nil or value == null then
    out[n + 1] = "null"
  else
    cannot(kind, "type not supported")
  end
  return n + 1
end

-- decoding ------------------------------------------------------------------------------------------------------

local PUNCTUATION = { ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
  [":"] = "T_COLON", [","] = "T_COMMA" }

local function unexpected(wanted, token, at)
  error("Expected " .. wanted .. " but found " .. token .. " at character " .. at, 0)
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
    0x80 + code % 64)
end

-- The character of an escape \uXXXX at `at`, and what comes behind it; nil if it is none.
local function unicode_escape(text, at)
  local _, behind, digits = find(text, "^\\u(%x%x%x%x)", at)
  if not behind then return nil end
  local code = tonumber(digits, 16)
  if code >= 0xDC00 and code <= 0xDFFF then return nil end
  if code >= 0xD800 and code <= 0xDBFF then
    local _, last, low = find(text, "^\\u(%x%x%x%x)", behind + 1)
    low = low and tonumber(low, 16)
    if not low or low < 0xDC00 or low > 0xDFFF then return nil end
    return utf8(0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00)), last + 1
  end
  return utf8(code), behind + 1
end

-- The string behind a quote, and what comes behind it; or nil, what is wrong and where.
local function string_at(text, at)
  local _, last = find(text, '^[^"\\%z]*', at)
  if byte(text, last + 1) == 34 then return sub(text, at, last), last + 2 end
  local parts = {}
  while true do
    parts[#parts + 1] = sub(text, at, last)
    local c = byte(text, last + 1)
    if c == 34 then return concat(parts), last + 2 end
    if c ~= 92 then return nil, "unexpected end of string", last + 1 end
    local letter = sub(text, last + 2, last + 2)
    if letter == "u" then
      local made, behind = unicode_escape(text, last + 1)
      if not made then return nil, "invalid unicode escape code", last + 1 end
      parts[#parts + 1] = made
      at = behind
    else
      local made = UNESCAPED[letter]
      if not made then return nil, "invalid escape code", last + 1 end
      parts[#parts + 1] = made
      at = last + 3
    end
    _, last = find(text, '^[^"\\%z]*', at)
  end
end

-- The number at `at`, as strtod reads it, and what comes behind it.
local function number_at(cfg, text, at)
  local _, last = find(text, "^[-+]?0[xX]%x+", at)
  local hexadecimal = last
  if not last then
    _, last = find(text, "^[-+]?%d+%.?%d*[eE][-+]?%d+", at)
    if not last then _, last = find(text, "^[-+]?%d+%.?%d*", at) end
    if not last then _, last = find(text, "^[-+]%.%d+", at) end
  end
  if last then
    if not cfg.decode_invalid_numbers and (hexadecimal or find(text, "^%+", at) or find(text, "^-?0%d", at)) then
      return nil, "invalid number"
    end
    local written = gsub(sub(text, at, last), "^%+", "")
    if hexadecimal and sub(written, 1, 1) == "-" then return -tonumber(sub(written, 2)), last + 1 end
    return tonumber(written), last + 1
  end
  local c = byte(text, at)
  local signed = c == 45 or c == 43
  if cfg.decode_invalid_numbers then
    local _, behind, sign, word = find(text, "^([-+]?)(%a+)", at)
    if behind then
      word = lower(word)
      local value, length
      if sub(word, 1, 8) == "infinity" then
        value, length = 1 / 0, 8
      elseif sub(word, 1, 3) == "inf" then
        value, length = 1 / 0, 3
      elseif sub(word, 1, 3) == "nan" then
        value, length = -(0 / 0), 3
      end
      if value then return sign == "-" and -value or value, at + #sign + length end
    end
  end
  return nil, signed and "invalid number" or "invalid token"
end

-- The next token: its name, its value, where it begins, what comes behind it.
local function token_at(cfg, text, at)
  local _, last = find(text, "^[ \t\r\n]*", at)
  at = last + 1
  local c = sub(text, at, at)
  if c == "" or c == "\0" then return "T_END", nil, at, at end
  local name = PUNCTUATION[c]
  if name then return name, nil, at, at + 1 end
  if c == '"' then
    local value, behind, wrong_at = string_at(text, at + 1)
    if value then return "T_STRING", value, at, behind end
    return behind, nil, wrong_at, wrong_at
  end
  if find(text, "^true", at) then return "T_BOOLEAN", true, at, at + 4 end
  if find(text, "^false", at) then return "T_BOOLEAN", false, at, at + 5 end
  if find(text, "^null", at) then return "T_NULL", null, at, at + 4 end
  if find(c, "[-+%diInN]") then
    local value, behind = number_at(cfg, text, at)
    if value then return "T_NUMBER", value, at, behind end
    return behind, nil, at, at
  end
  return "invalid token", nil, at, at
end

local VALUES = { T_STRING = true, T_NUMBER = true, T_BOOLEAN = true, T_NULL = true }
local decode_token

local function deeper(cfg, depth, at)
  if depth > cfg.decode_max_depth then
    error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
  end
end

local function decode_object(cfg, text, at, depth)
  local result = {}
  local token, value, start, behind = token_at(cfg, text, at)
  if token == "T_OBJ_END" then return result, behind end
  while true do
    if token ~= "T_STRING" then unexpected("object key string", token, start) end
    local key = value
    token, value, start, behind = token_at(cfg, text, behind)
    if token ~= "T_COLON" then unexpected("colon", token, start) end
    result[key], behind = decode_token(cfg, text, depth, token_at(cfg, text, behind))
    token, value, start, behind = token_at(cfg, text, behind)
    if token == "T_OBJ_END" then return result, behind end
    if token ~= "T_COMMA" then unexpected("comma or object end", token, start) end
    token, value, start, behind = token_at(cfg, text, behind)
  end
end

local function decode_array(cfg, text, at, depth)
  local result, n = {}, 0
  local token, value, start, behind = token_at(cfg, text, at)
  if token == "T_ARR_END" then return result, behind end
  while true do
    n = n + 1
    result[n], behind = decode_token(cfg, text, depth, token, value, start, behind)
    token, value, start, behind = token_at(cfg, text, behind)
    if token == "T_ARR_END" then return result, behind end
    if token ~= "T_COMMA" then unexpected("comma or array end", token, start) end
    token, value, start, behind = token_at(cfg, text, behind)
  end
end

function decode_token(cfg, text, depth, token, value, start, behind)
  if VALUES[token] then return value, behind end
  if token == "T_OBJ_BEGIN" then
    deeper(cfg, depth + 1, start)
    return decode_object(cfg, text, behind, depth + 1)
  elseif token == "T_ARR_BEGIN" then
    deeper(cfg, depth + 1, start)
    return decode_array(cfg, text, behind, depth + 1)
  end
  unexpected("value", token, start)
end

-- the module ----------------------------------------------------------------------------------------------------

local INT_MAX = 2147483647
local new

local function make()
  local cfg = {
    encode_max_depth = 1000, decode_max_depth = 1000, number_precision = 14, number_format = "%.14g",
    keep_buffer = true, encode_invalid_numbers = false, decode_invalid_numbers = true,
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
  }
  local cjson = { null = null, _NAME = "cjson", _VERSION = "2.1.0" }

  function cjson.encode(...)
    if select("#", ...) ~= 1 then bad_argument(1, "encode", "expected 1 argument") end
    local out = {}
    encode(cfg, (...), out, 0, 0)
    return concat(out)
  end

  function cjson.decode(...)
    if select("#", ...) ~= 1 then bad_argument(1, "decode", "expected 1 argument") end
    local text = ...
    if type(text) == "number" then text = tostring(text) end
    if type(text) ~= "string" then bad_argument(1, "decode", "string expected, got " .. type(text)) end
    local value, behind = decode_token(cfg, text, 0, token_at(cfg, text, 1))
    local token, _, start = token_at(cfg, text, behind)
    if token ~= "T_END" then unexpected("the end", token, start) end
    return value
  end

  local function at_most(name, n, most)
    if n > most then bad_argument(most + 1, name, "found too many arguments") end
  end

  local function integer(name, field, low, high)
    cjson[name] = function(...)
      at_most(name, select("#", ...), 1)
      local given = ...
      if given ~= nil then
        local number = tonumber(given)
        if not number then bad_argument(1, name, "number expected, got " .. type(given)) end
        number = floor(number)
        if number < low or number > high then
          bad_argument(1, name, "expected integer between " .. low .. " and " .. high)
        end
        cfg[field] = number
        if field == "number_precision" then cfg.number_format = "%." .. number .. "g" end
      end
      return cfg[field]
    end
  end
  integer("encode_max_depth", "encode_max_depth", 1, INT_MAX)
  integer("decode_max_depth", "decode_max_depth", 1, INT_MAX)
  integer("encode_number_precision", "number_precision", 1, 14)

  local function switch(name, field, also)
    cjson[name] = function(...)
      at_most(name, select("#", ...), 1)
      local given = ...
      if given ~= nil then
        if given == "on" then given = true elseif given == "off" then given = false end
        if type(given) ~= "boolean" and given ~= also then
          if type(given) == "string" then bad_argument(1, name, "invalid option '" .. given .. "'") end
          bad_argument(1, name, "string expected, got " .. type(given))
        end
        cfg[field] = given
      end
      return cfg[field]
    end
  end
  switch("encode_invalid_numbers", "encode_invalid_numbers", "null")
  switch("decode_invalid_numbers", "decode_invalid_numbers")
  switch("encode_keep_buffer", "keep_buffer")

  function cjson.encode_sparse_array(...)
    at_most("encode_sparse_array", select("#", ...), 3)
    local convert, ratio, safe = ...
    if convert ~= nil then
      if type(convert) ~= "boolean" then
        bad_argument(1, "encode_sparse_array", "invalid option '" .. tostring(convert) .. "'")
      end
      cfg.sparse_convert = convert
    end
    for position, given in next, { [2] = ratio, [3] = safe } do
      local number = tonumber(given)
      if not number then bad_argument(position, "encode_sparse_array", "number expected, got " .. type(given)) end
      if number < 0 or number > INT_MAX then
        bad_argument(position, "encode_sparse_array", "expected integer between 0 and " .. INT_MAX)
      end
      cfg[position == 2 and "sparse_ratio" or "sparse_safe"] = floor(number)
    end
    return cfg.sparse_convert, cfg.sparse_ratio, cfg.sparse_safe
  end

  cjson.new = new
  for name, f in next, cjson do
    if type(f) == "function" then cjson[name] = library_function(f) end
  end
  return cjson
end

function new() return make() end

M.globals.cjson = M.readonly(make())
