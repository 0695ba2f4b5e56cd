-- What the ledger's scripts share; each of them is this text and its own.
--
-- KEYS[1] is oxlo:{ACCOUNT}; what is derived from it lies in the same hash slot:
--   :counts  hash: day, day_used, minute, minute_used, refunds, epoch, as_of (ms), seq
--   :leases  sorted set: calls under way, by the moment (ms) at which their lease ends
--   :open    hash: call -> "DAY MINUTE EPOCH" that it was charged to; "-" when it ended twice over
--   :lost    sorted set: calls whose lease ended before they did, by that moment; given back
--   :line    sorted set: calls that wait for a lease, in order of arrival
--   :waits   hash: call -> JSON, what its turn needs: gateway, alive (ms), limits
--
-- Windows only move forward, and are at most the next ones, as in ledger/windows.py. The epoch
-- identifies one lifetime of the counts: what was charged before they were lost is not refunded.
-- ARGV[1] is the time in ms for tests, else "": then it is the server's own.

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

-- The clock was set back: the windows that were reached are the next ones, also for calls under way;
-- windows before them have passed, though their names come again.
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

-- The account with the windows of this moment open; nil when nobody has counted it yet.
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
  elseif a.used then -- no more than that, as for nearly every call
    redis.call('HSET', COUNTS, 'day_used', a.day_used, 'minute_used', a.minute_used)
  end
end

-- Add to the windows that a call was charged to, as far as they are still open.
local function add(a, day, minute, days, minutes)
  if days ~= 0 and day == a.day then
    a.day_used, a.used = a.day_used + days, true
  end
  if minutes ~= 0 and minute == a.minute then
    a.minute_used, a.used = a.minute_used + minutes, true
  end
end

-- Free the leases that nobody renewed, and give back what they were charged.
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

local ADMITTED, WAITS_IN_LINE, DAY_USED, MINUTE_USED, LINE_FULL, NOT_COUNTED = 1, 2, 3, 4, 5, 6

-- Why an account may have no further call now; nil when it may. -1 is no limit.
local function refusal(a, per_day, per_minute)
  if per_day >= 0 and a.day_used >= per_day then return DAY_USED end
  if per_minute >= 0 and a.minute_used >= per_minute then return MINUTE_USED end
  return nil
end

-- Charge a call and give it a lease; `leases` are held already.
local function admit(a, call, lease_ms, now, leases)
  add(a, a.day, a.minute, 1, 1)
  redis.call('ZADD', LEASES, now + lease_ms, call)
  redis.call('HSET', OPEN, call, a.day .. ' ' .. a.minute .. ' ' .. a.epoch)
  if leases == 0 then -- the keys may be new; those that are kept are renewed with each day
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

-- Give free leases to the line, in its order. A gateway that is gone is passed over.
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

