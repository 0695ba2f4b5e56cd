-- What the scripts about kept answers share; each of them is this text and its own.
--
-- KEYS[1] is oxlo:{answers}; what is derived from it lies in the same hash slot:
--   :kept:NAME   an answer, as `Kept` is written; NAME is a hash of account and key
--   :claim:NAME  "GATEWAY FINGERPRINT": who makes the answer to what, while its lease lasts
--   :index       sorted set: names of the answers, by the moment (ms) at which they were kept
--   :sizes       hash: name -> bytes
--   :bytes       the sum of the sizes

local base = KEYS[1]
local INDEX, SIZES, BYTES = base .. ':index', base .. ':sizes', base .. ':bytes'
local ENTRY = 512 -- bytes that an answer takes beside its own

local function kept_at(name) return base .. ':kept:' .. name end

local function claim_at(name) return base .. ':claim:' .. name end

-- Who holds the claim, and what for; nil when nobody does.
local function claim_of(name)
  return string.match(redis.call('GET', claim_at(name)) or '', '^(.*) (%S*)$')
end

local function set_claim(name, gateway, fingerprint, lease_ms)
  redis.call('SET', claim_at(name), gateway .. ' ' .. fingerprint, 'PX', lease_ms)
end

local function end_claim(name, gateway)
  if claim_of(name) == gateway then redis.call('DEL', claim_at(name)) end
end

local function forget(name)
  local size = tonumber(redis.call('HGET', SIZES, name) or '0')
  redis.call('DEL', kept_at(name))
  redis.call('HDEL', SIZES, name)
  redis.call('ZREM', INDEX, name)
  return redis.call('DECRBY', BYTES, size)
end

