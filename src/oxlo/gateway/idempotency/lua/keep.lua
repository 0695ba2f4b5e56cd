-- Store a response and end the claim; delete expired responses, then the oldest beyond the limit.
-- ARGV: gateway, name, response, ms to keep it, maximum bytes of all responses.
local gateway, name, answer = ARGV[1], ARGV[2], ARGV[3]
local keep_ms, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', INDEX, '-inf', now - keep_ms, 'LIMIT', 0, 500)) do
  forget(old)
end
if redis.call('EXISTS', kept_at(name)) == 0 then -- otherwise the first response stays
  if redis.call('HEXISTS', SIZES, name) == 1 then forget(name) end -- it had expired
  redis.call('SET', kept_at(name), answer, 'PX', keep_ms)
  redis.call('HSET', SIZES, name, #answer + ENTRY)
  redis.call('ZADD', INDEX, now, name)
  redis.call('INCRBY', BYTES, #answer + ENTRY)
end
while tonumber(redis.call('GET', BYTES) or '0') > most do
  local oldest = redis.call('ZRANGE', INDEX, 0, 0)[1]
  if not oldest then break end
  forget(oldest)
end
for _, key in ipairs({INDEX, SIZES, BYTES}) do redis.call('PEXPIRE', key, keep_ms) end
end_claim(name, gateway)
return {'kept', ''}
