-- Shared functions of the scripts for a model's slots, prepended to each.
--
-- KEYS[1] is oxlo:slots:{SITE/MODEL}; the gateways of a site share engines. Derived keys are in the
-- same hash slot:
--   :replicas       hash: replica -> slots, as last reported by a gateway
--   :taken:REPLICA  sorted set: calls in its slots, by the end of their lease (ms)
--   :line           sorted set: waiting calls, by priority and tag (queue.py); each as "SEQ CALL",
--                   so that ties are in order of arrival
--   :due            sorted set: the same, by the time (ms) at which age promotes them
--   :waits          hash: call -> JSON with the data needed to serve it
--   :given:P        hash: account -> work served at priority P
--   :state          hash: served:P, last served tag; since, slots since a due call; seq
--
-- ARGV[1] is the time in ms in tests, otherwise "" for the server's own time.

local base = KEYS[1]
local REPLICAS, LINE, DUE = base .. ':replicas', base .. ':line', base .. ':due'
local WAITS, STATE = base .. ':waits', base .. ':state'
local KEEP = 86400 -- seconds
local DUE_SHARE, LEVEL = 4, 1e12

local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function taken(replica) return base .. ':taken:' .. replica end

-- Take a free slot of a replica; those with an expired lease are free.
local function take(call, replica, slots, lease_ms, now)
  local key = taken(replica)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if redis.call('ZCARD', key) >= slots then return false end
  redis.call('ZADD', key, now + lease_ms, call)
  if redis.call('TTL', key) < KEEP / 2 then redis.call('EXPIRE', key, KEEP) end -- a read is cheaper
  return true
end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end

local function leave(call)
  local text = redis.call('HGET', WAITS, call)
  if not text then return end
  local wait = cjson.decode(text)
  redis.call('HDEL', WAITS, call)
  redis.call('ZREM', LINE, wait.member)
  redis.call('ZREM', DUE, wait.member)
  local level = wait.level
  local low = (3 - level) * LEVEL
  if redis.call('ZCOUNT', LINE, low, '(' .. (low + LEVEL)) == 0 then -- no call is ahead
    redis.call('DEL', base .. ':given:' .. level)
    redis.call('HDEL', STATE, 'served:' .. level)
  end
end

local function stand(call, wait, due_at)
  local given = base .. ':given:' .. wait.level
  local tag = math.max(number(STATE, 'served:' .. wait.level), number(given, wait.account))
  redis.call('HSET', given, wait.account, tag + wait.cost)
  wait.tag = tag
  wait.member = string.format('%012.0f %s', redis.call('HINCRBY', STATE, 'seq', 1), call)
  redis.call('HSET', WAITS, call, cjson.encode(wait))
  redis.call('ZADD', LINE, (3 - wait.level) * LEVEL + tag, wait.member)
  redis.call('ZADD', DUE, due_at, wait.member)
  for _, key in ipairs({given, WAITS, LINE, DUE, STATE}) do redis.call('EXPIRE', key, KEEP) end
end

-- The next call, as `_next` in queue.py: every fourth slot goes to the call that has been due
-- longest, including any it gets in turn. Returns the call, whether by age, and the slots since a
-- due call.
local function next_member(now)
  local since = number(STATE, 'since') + 1
  local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, 1)[1]
  if due and since >= DUE_SHARE then return due, true, 0 end
  local fairest = redis.call('ZRANGE', LINE, 0, 0)[1]
  return fairest, false, (due and fairest == due) and 0 or since
end

-- A slot for a call: at its preferred replicas first, then at any.
local function any_slot(call, wait, now)
  for _, replica in ipairs(wait.replicas) do
    if take(call, replica, number(REPLICAS, replica), wait.lease_ms, now) then return replica end
  end
  local listed = redis.call('HGETALL', REPLICAS)
  for i = 1, #listed, 2 do
    if take(call, listed[i], tonumber(listed[i + 1]), wait.lease_ms, now) then return listed[i] end
  end
  return nil
end

-- Give free slots to waiting calls, skipping those of gateways that are gone.
local function serve(now)
  while true do
    local member, aged, since = next_member(now)
    if not member then return end
    local call = string.sub(member, 14)
    local wait = cjson.decode(redis.call('HGET', WAITS, call) or '{"alive":0}')
    if wait.alive <= now then
      leave(call)
      redis.call('ZREM', LINE, member)
      redis.call('ZREM', DUE, member)
    else
      local got = any_slot(call, wait, now)
      if not got then return end
      redis.call('HSET', STATE, 'since', since)
      if not aged then redis.call('HSET', STATE, 'served:' .. wait.level, wait.tag) end
      leave(call)
      redis.call('PUBLISH', 'oxlo:slots:' .. wait.gateway, call .. ' ' .. got)
    end
  end
end

