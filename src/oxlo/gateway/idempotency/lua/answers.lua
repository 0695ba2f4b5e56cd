-- Shared functions of the scripts for stored responses, prepended to each.
--
-- KEYS[1] is oxlo:{answers}; derived keys are in the same hash slot:
--   :kept:NAME   a response, encoded as `Kept`; NAME is a hash of account and key
--   :claim:NAME  "GATEWAY FINGERPRINT" of the call in progress, until its lease ends
--   :index       sorted set: names of the responses, by the time (ms) at which they were stored
--   :sizes       hash: name -> bytes
--   :bytes       the sum of the sizes

local base = KEYS[1]
local INDEX, SIZES, BYTES = base .. ':index', base .. ':sizes', base .. ':bytes'
local ENTRY = 512 -- overhead in bytes of each response

local function kept_at(name) return base .. ':kept:' .. name end

local function claim_at(name) return base .. ':claim:' .. name end

-- The claim's gateway and fingerprint; nil if the key is not claimed.
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

