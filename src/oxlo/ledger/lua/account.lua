-- Shared functions of the ledger's scripts, prepended to each.
--
-- KEYS[1] is oxlo:{ACCOUNT}; derived keys are in the same hash slot:
--   :counts  hash: day, day_used, minute, minute_used, refunds, epoch, as_of (ms), seq
--   :leases  sorted set: calls in progress, by the end of their lease (ms)
--   :open    hash: call -> its charge "DAY MINUTE EPOCH"; "-": settled, of an earlier epoch
--   :lost    sorted set: calls whose lease expired, by that time; refunded
--   :line    sorted set: calls waiting for a lease, in order of arrival
--   :waits   hash: call -> JSON with the data needed to serve it: gateway, alive (ms), limits
--
-- Windows only move forward, and are at most the next ones, as in ledger/windows.py. The epoch
-- identifies one lifetime of the counts: charges made before they were lost are not refunded.
-- ARGV[1] is the time in ms in tests, otherwise "" for the server's own time.

local base = KEYS[1]
local COUNTS, LEASES, OPEN = base .. ':counts', base .. ':leases', base .. ':open'
local LOST, LINE, WAITS = base .. ':lost', base .. ':line', base .. ':waits'
local KEEP = 172800 -- seconds
local DAY_MS, MINUTE_MS = 86400000, 60000

local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function expire_all()
  for _, key in ipairs({COUNTS, LEASES, OPEN, LOST, LINE, WAITS}) do
    redis.call('EXPIRE', key, KEEP)
  end
end

local function charge_of(text)
  local day, minute, epoch = string.match(text or '', '^(%d+) (%d+) (%S+)$')
  return tonumber(day), tonumber(minute), epoch
end

-- The clock was set back: rename the windows reached to the next ones, also in the charges of open
-- calls. Earlier windows have passed, although their names will recur.
local function rename(a, day, minute)
  local was_day, was_minute = a.day, a.minute
  a.day, a.minute, a.changed = math.min(a.day, day), math.min(a.minute, minute), true
  local function named(charged, reached, name)
    if charged == reached then return name end
    return charged < name and charged or 0
  end
  local open = redis.call('HGETALL', OPEN)
  for i = 1, #open, 2 do
    local its_day, its_minute, epoch = charge_of(open[i + 1])
    if epoch then
      redis.call('HSET', OPEN, open[i], named(its_day, was_day, a.day) .. ' ' ..
        named(its_minute, was_minute, a.minute) .. ' ' .. epoch)
    end
  end
end

-- The account with its current windows open; nil if it has not been counted yet.
local function load(now)
  local v = redis.call('HMGET', COUNTS, 'day', 'day_used', 'minute', 'minute_used', 'refunds',
    'epoch', 'as_of', 'seq')
  if not v[6] then return nil end
  local a = {
    day = tonumber(v[1]), day_used = tonumber(v[2]), minute = tonumber(v[3]),
    minute_used = tonumber(v[4]), refunds = tonumber(v[5]), epoch = v[6],
    as_of = tonumber(v[7]), seq = tonumber(v[8]), used = false, changed = false,
  }
  local day, minute = math.floor(now / DAY_MS), math.floor(now / MINUTE_MS)
  if minute > a.minute then
    a.minute, a.minute_used, a.changed = minute, 0, true
  end
  if day > a.day then
    a.day, a.day_used, a.refunds, a.changed = day, 0, 0, true
    expire_all()
  end
  if minute + 1 < a.minute or day + 1 < a.day then rename(a, day + 1, minute + 1) end
  return a
end

local function save(a)
  if a.changed then
    redis.call('HSET', COUNTS, 'day', a.day, 'day_used', a.day_used, 'minute', a.minute,
      'minute_used', a.minute_used, 'refunds', a.refunds, 'seq', a.seq)
  elseif a.used then -- only the usage changed, as for nearly every call
    redis.call('HSET', COUNTS, 'day_used', a.day_used, 'minute_used', a.minute_used)
  end
end

-- Add to the windows that a call was charged to, if they are still open.
local function add(a, day, minute, days, minutes)
  if days ~= 0 and day == a.day then
    a.day_used, a.used = a.day_used + days, true
  end
  if minutes ~= 0 and minute == a.minute then
    a.minute_used, a.used = a.minute_used + minutes, true
  end
end

-- Free expired leases and refund their charges.
local function purge(a, now)
  local dead = redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 500)
  for _, call in ipairs(dead) do
    redis.call('ZREM', LEASES, call)
    local day, minute, epoch = charge_of(redis.call('HGET', OPEN, call))
    if epoch == a.epoch then
      add(a, day, minute, -1, -1)
      redis.call('ZADD', LOST, now, call)
      redis.call('EXPIRE', LOST, KEEP)
    else
      redis.call('HDEL', OPEN, call)
    end
  end
  if #dead > 0 then
    local old = redis.call('ZRANGEBYSCORE', LOST, '-inf', now - DAY_MS, 'LIMIT', 0, 500)
    for _, call in ipairs(old) do
      redis.call('ZREM', LOST, call)
      redis.call('HDEL', OPEN, call)
    end
  end
end

local ADMITTED, QUEUED, DAY_USED, MINUTE_USED, QUEUE_FULL, NOT_COUNTED = 1, 2, 3, 4, 5, 6

-- Why an account may not make another call now; nil if it may. -1 means no limit.
local function refusal(a, per_day, per_minute)
  if per_day >= 0 and a.day_used >= per_day then return DAY_USED end
  if per_minute >= 0 and a.minute_used >= per_minute then return MINUTE_USED end
  return nil
end

-- Charge a call and give it a lease; `leases` is the number already held.
local function admit(a, call, lease_ms, now, leases)
  add(a, a.day, a.minute, 1, 1)
  redis.call('ZADD', LEASES, now + lease_ms, call)
  redis.call('HSET', OPEN, call, a.day .. ' ' .. a.minute .. ' ' .. a.epoch)
  if leases == 0 then -- the keys may be new and need an expiry, which is otherwise renewed daily
    redis.call('EXPIRE', LEASES, KEEP)
    redis.call('EXPIRE', OPEN, KEEP)
  end
end

local function standing(a, code, now, leases, waiting)
  return {code, now, a.day, a.day_used, a.minute, a.minute_used, a.refunds, a.epoch,
    leases or redis.call('ZCARD', LEASES), waiting or redis.call('ZCARD', LINE)}
end

local function leave_line(call)
  redis.call('HDEL', WAITS, call)
  return redis.call('ZREM', LINE, call) == 1
end

-- Give free leases to queued calls in order, skipping those of gateways that are gone.
local function serve(a, now)
  local first = redis.call('ZRANGE', LINE, 0, 0)[1]
  while first do
    local wait = cjson.decode(redis.call('HGET', WAITS, first) or '{"alive":0}')
    if wait.alive > now then
      local leases = redis.call('ZCARD', LEASES)
      if wait.concurrency >= 0 and leases >= wait.concurrency then return end
      local code = refusal(a, wait.per_day, wait.per_minute) or ADMITTED
      if code == ADMITTED then admit(a, first, wait.lease_ms, now, leases) end
      leave_line(first)
      local said = standing(a, code, now)
      local account = string.match(base, '{(.*)}')
      redis.call('PUBLISH', 'oxlo:gateway:' .. wait.gateway,
        account .. ' ' .. first .. ' ' .. table.concat(said, ' '))
    else
      leave_line(first)
    end
    first = redis.call('ZRANGE', LINE, 0, 0)[1]
  end
end

