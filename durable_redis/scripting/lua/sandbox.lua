-- The world that scripts see: globals, readonly tables, coroutines under the hook, replies.
--
-- Runs once for each interpreter, with all of Lua at hand; returns what the host calls, and what the libraries
-- beside it need.  Scripts never hold anything of the host: host functions are upvalues here, and what crosses
-- is strings, numbers, booleans and plain tables.  All frames of this source are passed over when an error is
-- located, as Redis passes over its C functions.

local host, is_eval = ...
local host_call, host_tick, host_log, host_sha1 = host.call, host.tick, host.log, host.sha1
local host_random, host_seed, host_register = host.random, host.seed, host.register
local host_protocol, host_acl, host_patch = host.protocol, host.acl, host.patch

local type, tostring, tonumber, error, select, unpack = type, tostring, tonumber, error, select, unpack
local pcall, xpcall, next, rawget, rawset, rawequal = pcall, xpcall, next, rawget, rawset, rawequal
local setmetatable, loadstring, setfenv, ipairs = setmetatable, loadstring, setfenv, ipairs
local getinfo, sethook, metatable_of = debug.getinfo, debug.sethook, debug.getmetatable
local format, gsub, find, sub, byte, dump = string.format, string.gsub, string.find, string.sub, string.byte, string.dump
local concat, floor = table.concat, math.floor
local collect = collectgarbage
local co_create, co_resume, co_status = coroutine.create, coroutine.resume, coroutine.status

local SOURCE = "=builtin"
local HOOK_INSTRUCTIONS = 100000
local REPLY_DEPTH_MAX = 1900
local LOAD_BYTES_MAX = 16 * 1024 * 1024
local READONLY = "Attempt to modify a readonly table"

-- errors ------------------------------------------------------------------------------------------------------

-- Call behind `return`, with the results of pcall(f, ...): as if f were C.  Messages about arguments get the name
-- of the function, and the position of who called it.
local function finish(name, ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) == "string" then
    message = gsub(message, "^builtin:%d+: ", "")
    if find(message, "^bad argument") or find(message, "^wrong number") or find(message, "^cannot change") then
      error(gsub(message, "'%?'", "'" .. name .. "'"), 3)
    end
    error(message, 0)
  end
  error(message, 0)
end

-- As finish, for functions written here: every message is meant for the caller's position.
local function finish_library(ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) == "string" then error(message, 3) end
  error(message, 0)
end

local function library_function(f)
  return function(...) return finish_library(pcall(f, ...)) end
end

local function bad_argument(position, name, what)
  error("bad argument #" .. position .. " to '" .. name .. "' (" .. what .. ")", 0)
end

local function type_name(n, position, value)
  return position > n and "no value" or type(value)
end

-- readonly tables ----------------------------------------------------------------------------------------------

local content = setmetatable({}, { __mode = "k" }) -- readonly table -> the table that it shows

local function refuse() error(READONLY, 2) end

local function readonly(shown, index)
  local proxy = setmetatable({}, { __index = index or shown, __newindex = refuse, __metatable = false })
  content[proxy] = shown
  return proxy
end

local function expect_table(name, n, value)
  if type(value) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. (n == 0 and "no value" or type(value)) .. ")", 3)
  end
end

local function guarded(name, f)
  return function(...)
    local first = ...
    if first ~= nil and content[first] then error(READONLY, 0) end
    return finish(name, pcall(f, ...))
  end
end

-- time, and the end of long scripts ------------------------------------------------------------------------------

local killed -- the error that ends the script

local function hook()
  if not killed then
    local message = host_tick()
    if not message then return end
    killed = message
  end
  sethook(hook, "", 1) -- of this thread: whatever catches the error gets it again
  local running = getinfo(2, "S")
  if running and running.source ~= SOURCE then error({ err = killed }, 0) end
end

local function check_killed()
  if killed then sethook(hook, "", 1) end
end

-- Errors as tables, with where they happened.
local function err_handler(err)
  if type(err) ~= "table" then err = { err = "ERR " .. tostring(err) } end
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then break end
    if info.what ~= "C" and info.what ~= "tail" and info.source ~= SOURCE then
      rawset(err, "source", info.source)
      rawset(err, "line", info.currentline)
      break
    end
    level = level + 1
  end
  return err
end

-- replies -----------------------------------------------------------------------------------------------------

local function one_line(text) return (gsub(text, "[\r\n]", " ")) end
local function bulk(text) return "$" .. #text .. "\r\n" .. text .. "\r\n" end

local encode

local function encode_table(value, out, n, client, script, depth)
  if depth > REPLY_DEPTH_MAX then
    out[n + 1] = "-ERR reached lua stack limit\r\n"
    return n + 1
  end
  local field = rawget(value, "err")
  if type(field) == "string" then
    out[n + 1] = "-" .. one_line(field) .. "\r\n"
    return n + 1
  end
  field = rawget(value, "ok")
  if type(field) == "string" then
    out[n + 1] = "+" .. one_line(field) .. "\r\n"
    return n + 1
  end
  field = rawget(value, "double")
  if type(field) == "number" then
    local text = format("%.17g", field)
    out[n + 1] = client == 2 and bulk(text) or "," .. text .. "\r\n"
    return n + 1
  end
  field = rawget(value, "map")
  if type(field) == "table" then
    local at, count = n + 1, 0
    n = at
    for k, v in next, field do
      count = count + 1
      n = encode(k, out, n, client, script, depth + 1)
      n = encode(v, out, n, client, script, depth + 1)
    end
    out[at] = client == 2 and "*" .. 2 * count .. "\r\n" or "%" .. count .. "\r\n"
    return n
  end
  field = rawget(value, "set")
  if type(field) == "table" then
    local at, count = n + 1, 0
    n = at
    for k in next, field do
      count = count + 1
      n = encode(k, out, n, client, script, depth + 1)
    end
    out[at] = (client == 2 and "*" or "~") .. count .. "\r\n"
    return n
  end
  field = rawget(value, "big_number")
  if type(field) == "string" then
    field = one_line(field)
    out[n + 1] = client == 2 and bulk(field) or "(" .. field .. "\r\n"
    return n + 1
  end
  field = rawget(value, "verbatim_string")
  if type(field) == "table" then
    local kind, text = rawget(field, "format"), rawget(field, "string")
    if type(kind) == "string" and type(text) == "string" then
      if client == 2 then
        out[n + 1] = bulk(text)
      else
        out[n + 1] = "=" .. #text + 4 .. "\r\n" .. sub(kind .. "   ", 1, 3) .. ":" .. text .. "\r\n"
      end
      return n + 1
    end
  end
  local at, count = n + 1, 0
  n = at
  while true do
    local item = rawget(value, count + 1)
    if item == nil then break end
    count = count + 1
    n = encode(item, out, n, client, script, depth + 1)
  end
  out[at] = "*" .. count .. "\r\n"
  return n
end

function encode(value, out, n, client, script, depth)
  local kind = type(value)
  if kind == "string" then
    out[n + 1] = bulk(value)
  elseif kind == "number" then
    out[n + 1] = format(":%d\r\n", value)
  elseif kind == "boolean" then
    if script == 3 then
      if client == 3 then
        out[n + 1] = value and "#t\r\n" or "#f\r\n"
      else
        out[n + 1] = value and ":1\r\n" or ":0\r\n"
      end
    else
      out[n + 1] = value and ":1\r\n" or (client == 2 and "$-1\r\n" or "_\r\n")
    end
  elseif kind == "table" then
    return encode_table(content[value] or value, out, n, client, script, depth)
  else
    out[n + 1] = client == 2 and "$-1\r\n" or "_\r\n"
  end
  return n + 1
end

-- redis.* -----------------------------------------------------------------------------------------------------

-- The words of a command as strings, or nil and what is wrong with them.
local function words(...)
  local n = select("#", ...)
  if n == 0 then return nil, "ERR Please specify at least one argument for this redis lib call" end
  local given = { ... }
  for i = 1, n do
    local kind = type(given[i])
    if kind == "number" then
      given[i] = format("%.17g", given[i])
    elseif kind ~= "string" then
      return nil, "ERR Lua redis lib command arguments must be strings or integers"
    end
  end
  return given, n
end

local function perform(...)
  local given, n = words(...)
  if not given then return nil, { err = n } end
  local reply, err, fatal = host_call(unpack(given, 1, n))
  if err == nil then return reply end
  if fatal then
    killed = err
    check_killed()
  end
  return nil, { err = err, ignore_error_stats_update = true }
end

local function raise(text) error({ err = "ERR " .. text }, 0) end

local redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
}

function redis.log(...)
  local n = select("#", ...)
  if n < 2 then raise("redis.log() requires two arguments or more.") end
  local level = ...
  if type(level) ~= "number" then raise("First argument must be a number (log level).") end
  level = level - level % 1
  if level < 0 or level > 3 then raise("Invalid debug level.") end
  local parts = {}
  for i = 2, n do
    local part = select(i, ...)
    if type(part) == "string" or type(part) == "number" then parts[#parts + 1] = tostring(part) end
  end
  host_log(level, concat(parts, " "))
end

local load_redis = {} -- what a library sees while it is being loaded
for name, value in next, redis do load_redis[name] = value end

redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.call(...)
  local reply, err = perform(...)
  if err then error(err, 0) end
  return reply
end

function redis.pcall(...)
  local reply, err = perform(...)
  if err then return err end
  return reply
end

local WRONG_REPLY = "ERR wrong number or type of arguments"

function redis.error_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then return { err = WRONG_REPLY } end
  if sub(text, 1, 1) == "-" then text = sub(text, 2) end
  if not find(text, " ", 1, true) then text = "ERR " .. text end
  return { err = text }
end

function redis.status_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then return { err = WRONG_REPLY } end
  return { ok = text }
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then raise("wrong number of arguments") end
  local text = ...
  if type(text) == "number" then text = tostring(text) elseif type(text) ~= "string" then text = "" end
  return host_sha1(text)
end

function redis.setresp(...)
  if select("#", ...) ~= 1 then raise("redis.setresp() requires one argument.") end
  local protocol = tonumber((...))
  if protocol ~= 2 and protocol ~= 3 then raise("RESP version must be 2 or 3.") end
  host_protocol(protocol)
end

function redis.set_repl(...)
  if select("#", ...) ~= 1 then raise("redis.set_repl() requires two arguments.") end
  local flags = tonumber((...)) or 0
  if flags < 0 or flags >= 4 then
    raise("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
end

function redis.acl_check_cmd(...)
  local given, n = words(...)
  if not given then error({ err = n }, 0) end
  local allowed = host_acl(unpack(given, 1, n))
  if allowed == nil then raise("Invalid command passed to redis.acl_check_cmd()") end
  return allowed
end

if is_eval then
  function redis.breakpoint() return false end
  function redis.debug() end
  function redis.replicate_commands() return true end
end

-- Lua's own functions ------------------------------------------------------------------------------------------

local string_shown, table_shown, math_shown = {}, {}, {}
for name, f in next, string do string_shown[name] = f end
for name, f in next, table do table_shown[name] = f end
for name, f in next, math do math_shown[name] = f end

for _, name in ipairs({ "insert", "remove", "setn" }) do table_shown[name] = guarded(name, table[name]) end

math_shown.random = library_function(function(...)
  local n = select("#", ...)
  local low, high = ...
  local r = host_random()
  if n == 0 then return r end
  local function integer(position, value)
    local number = tonumber(value)
    if not number then bad_argument(position, "random", "number expected, got " .. type_name(n, position, value)) end
    return number < 0 and -floor(-number) or floor(number)
  end
  if n == 1 then
    high = integer(1, low)
    if high < 1 then bad_argument(1, "random", "interval is empty") end
    return floor(r * high) + 1
  elseif n == 2 then
    low, high = integer(1, low), integer(2, high)
    if low > high then bad_argument(2, "random", "interval is empty") end
    return floor(r * (high - low + 1)) + low
  end
  error("wrong number of arguments", 0)
end)

math_shown.randomseed = library_function(function(...)
  local seed = tonumber((...))
  if not seed then
    bad_argument(1, "randomseed", "number expected, got " .. type_name(select("#", ...), 1, (...)))
  end
  host_seed(tonumber(format("%d", seed)) % 4294967296)
end)

local string_proxy = readonly(string_shown)
metatable_of("").__index = string_proxy
local string_metatable = readonly({ __index = string_proxy })

local globals = { _VERSION = _VERSION }
local G = readonly(globals, function(_, name)
  local value = globals[name]
  if value ~= nil then return value end
  if type(name) ~= "string" and type(name) ~= "number" then
    error("Second argument to luaProtectedTableError must be a string or number", 2)
  end
  error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end)
local global_metatable_shown = readonly({ __index = metatable_of(G).__index })

for _, name in ipairs({ "assert", "error", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "unpack",
  "xpcall", "gcinfo" }) do
  globals[name] = _G[name]
end
globals.string, globals.table, globals.math = string_proxy, readonly(table_shown), readonly(math_shown)
globals._G = G
globals.redis = readonly(redis)

local function finish_pcall(ok, ...)
  if ok then return true, ... end
  local err = ...
  if type(err) == "table" then
    local text = err.err
    if type(text) == "string" or type(text) == "number" then err = text end
  end
  return false, err
end

function globals.pcall(...)
  if select("#", ...) == 0 then return false, "attempt to call a nil value" end
  return finish_pcall(pcall(...))
end

function globals.next(...)
  local t, key = ...
  return finish("next", pcall(next, content[t or 0] or t, key))
end

function globals.pairs(...)
  local t = ...
  expect_table("pairs", select("#", ...), t)
  if content[t] then return globals.next, t, nil end
  return next, t, nil
end

function globals.rawget(...)
  local t, key = ...
  expect_table("rawget", select("#", ...), t)
  return rawget(content[t] or t, key)
end

globals.rawset = guarded("rawset", rawset)
globals.setmetatable = guarded("setmetatable", setmetatable)

function globals.getmetatable(...)
  if select("#", ...) == 0 then error("bad argument #1 to 'getmetatable' (value expected)", 2) end
  local value = ...
  local kind = type(value)
  if kind == "string" then return string_metatable end
  if value == G then return global_metatable_shown end
  if kind ~= "table" or content[value] then return nil end
  local found = metatable_of(value)
  if found and rawget(found, "__metatable") ~= nil then return found.__metatable end
  return found
end

function globals.collectgarbage(option, argument)
  if option == "stop" or option == "restart" or option == "setpause" or option == "setstepmul" then return 0 end
  return finish("collectgarbage", pcall(collect, option or "collect", argument or 0))
end

-- Source into a function with the sandbox's globals.  Bytecode can do anything, so none is taken.
local function compile(source, name)
  if byte(source) == 27 then
    local shown = gsub(gsub(name, "^[@=]", ""), "^(.*)$", "%1")
    if not find(name, "^[@=]") then shown = '[string "' .. (gsub(name, "\n.*", "...")) .. '"]' end
    return nil, shown .. ":1: unexpected symbol near 'char(27)'"
  end
  local f, err = loadstring(source, name)
  if not f then return nil, err end
  local patched = host_patch(dump(f))
  if patched then f = loadstring(patched, name) end
  return f
end

local load_source = library_function(function(...)
  local source, name = ...
  if type(source) == "number" then source = tostring(source) end
  if type(source) ~= "string" then
    bad_argument(1, "loadstring", "string expected, got " .. type_name(select("#", ...), 1, source))
  end
  local f, err = compile(source, name and tostring(name) or source)
  if f then return setfenv(f, G) end
  return nil, err
end)
globals.loadstring = load_source

function globals.load(reader, name)
  if type(reader) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got " .. type(reader) .. ")", 2)
  end
  local parts, size = {}, 0
  while true do
    local part = reader()
    if part == nil or part == "" then break end
    if type(part) ~= "string" then return nil, "reader function must return a string" end
    parts[#parts + 1] = part
    size = size + #part
    if size > LOAD_BYTES_MAX then return nil, "chunk has too many bytes" end
    if byte(parts[1]) == 27 then break end
  end
  local f, err = compile(concat(parts), name and tostring(name) or "=(load)")
  if f then return setfenv(f, G) end
  return nil, err
end

local coroutine_shown = {
  running = coroutine.running, status = co_status, yield = coroutine.yield,
}

local function resumed(...)
  check_killed()
  return ...
end

local function watched(f)
  local thread = co_create(f)
  sethook(thread, hook, "", killed and 1 or HOOK_INSTRUCTIONS)
  return thread
end

function coroutine_shown.create(f)
  if type(f) ~= "function" then error("bad argument #1 to 'create' (Lua function expected)", 2) end
  return watched(f)
end

function coroutine_shown.resume(...) return resumed(finish("resume", pcall(co_resume, ...))) end

local function finish_wrap(ok, ...)
  check_killed()
  if ok then return ... end
  error((...), type((...)) == "string" and 3 or 0)
end

function coroutine_shown.wrap(f)
  if type(f) ~= "function" then error("bad argument #1 to 'wrap' (Lua function expected)", 2) end
  local thread = watched(f)
  return function(...) return finish_wrap(co_resume(thread, ...)) end
end
globals.coroutine = readonly(coroutine_shown)

-- What remains reachable through the state itself is emptied, the sandbox takes its place.
local null = newproxy(true)
metatable_of(null).__tostring = function() return "userdata: (nil)" end
local outer = _G

-- what the host calls ------------------------------------------------------------------------------------------

local scripts, callbacks = {}, {}
local M = {
  globals = globals, readonly = readonly, library_function = library_function, bad_argument = bad_argument,
  type_name = type_name, null = null,
}

local function failure(err, name)
  local text = rawget(err, "err")
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then text = "ERR unknown error" end
  local source, line = rawget(err, "source"), rawget(err, "line")
  if type(source) == "string" and line then
    text = text .. " script: " .. name .. ", on " .. source .. ":" .. tostring(line) .. "."
  end
  return text, rawget(err, "ignore_error_stats_update") == true
end

local function protected(f)
  killed = nil
  sethook(hook, "", HOOK_INSTRUCTIONS)
  local ok, result = xpcall(f, err_handler)
  sethook()
  killed = nil
  if not ok and type(result) ~= "table" then result = { err = "ERR " .. tostring(result) } end
  return ok, result
end

local function execute(f, name, client)
  local ok, result = protected(f)
  if not ok then return false, failure(result, name) end
  if type(result) == "table" then
    local text = rawget(result, "err")
    if type(text) == "string" then return false, text, rawget(result, "ignore_error_stats_update") == true end
  end
  local out = {}
  encode(result, out, 0, client, host_protocol(), 0)
  return true, concat(out)
end

function M.run(sha, keys, arguments, client)
  globals.KEYS, globals.ARGV = keys, arguments
  return execute(scripts[sha], sha, client)
end

function M.load_script(sha, source)
  local f, err = compile(source, "@user_script")
  if not f then return err end
  scripts[sha] = setfenv(f, G)
end

function M.call(name, keys, arguments, client)
  local callback = callbacks[name]
  return execute(function()
    local result = callback(keys, arguments)
    return result
  end, name, client)
end

local loading -- the functions of the library that is being loaded

local function register(name, callback, description, flags)
  local wrong = host_register(name, description or false, flags)
  if wrong then raise(wrong) end
  loading[name] = callback
end

local function text_of(value)
  if type(value) == "number" then return tostring(value) end
  return type(value) == "string" and value or nil
end

local function register_named(given)
  local name, callback, description, flags
  for key, value in next, given do
    if type(key) ~= "string" then
      raise("unknown argument given to redis.register_function")
    elseif key == "function_name" then
      name = text_of(value)
      if not name then raise("function_name argument given to redis.register_function must be a string") end
    elseif key == "description" then
      description = text_of(value)
      if not description then raise("description argument given to redis.register_function must be a string") end
    elseif key == "callback" then
      if type(value) ~= "function" then raise("callback argument given to redis.register_function must be a function") end
      callback = value
    elseif key == "flags" then
      if type(value) ~= "table" then
        raise("flags argument to redis.register_function must be a table representing function flags")
      end
      local names = {}
      for i, flag in ipairs(value) do
        if type(flag) ~= "string" and type(flag) ~= "number" then raise("unknown flag given") end
        names[i] = tostring(flag)
      end
      flags = concat(names, "\n")
    else
      raise("unknown argument given to redis.register_function")
    end
  end
  if not name then raise("redis.register_function must get a function name argument") end
  if not callback then raise("redis.register_function must get a callback argument") end
  return register(name, callback, description, flags or "")
end

function load_redis.register_function(...)
  local n = select("#", ...)
  if n < 1 or n > 2 then raise("wrong number of arguments to redis.register_function") end
  local first, callback = ...
  if n == 1 then
    if type(first) ~= "table" then
      raise("calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
    end
    return register_named(first)
  end
  local name = text_of(first)
  if not name then raise("first argument to redis.register_function must be a string") end
  if type(callback) ~= "function" then raise("second argument to redis.register_function must be a function") end
  return register(name, callback, nil, "")
end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

local load_globals = setmetatable({ redis = readonly(setmetatable(load_redis, { __index = missing }), function(_, name)
  local value = rawget(load_redis, name)
  if value ~= nil then return value end
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end) }, { __index = missing })

-- Compile a library and let it register.  The result is its functions, or nil, an error, and what kind it is.
function M.load_library(source)
  local f, err = compile(source, "@user_function")
  if not f then return nil, err, "compile" end
  local index = function(_, name)
    local value = rawget(load_globals, name)
    if value ~= nil then return value end
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end
  local environment = readonly(globals, index)
  loading = {}
  local ok, result = protected(setfenv(f, environment))
  local registered = loading
  loading = nil
  if not ok then
    local text = rawget(result, "err")
    return nil, text_of(text) or "ERR unknown error", "register"
  end
  metatable_of(environment).__index = metatable_of(G).__index
  return registered
end

function M.keep(name, callback_of, registered_name) callbacks[name] = callback_of[registered_name] end
function M.drop(name) callbacks[name] = nil end

-- Called when the libraries have been added: the state's own globals are emptied.  (They stay the state's, since
-- the binding looks for `debug` there, and must find nothing instead of an error.)
function M.seal()
  local names = {}
  for name in next, outer do names[#names + 1] = name end
  for _, name in ipairs(names) do rawset(outer, name, nil) end
  collect()
end

return M
