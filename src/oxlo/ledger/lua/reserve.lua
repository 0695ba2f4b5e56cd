-- Charge the day and the minute and take a lease, atomically; or join the account's queue.
-- ARGV: time, gateway, per day, per minute, concurrency, lease ms, queue limit, alive ms, call.
local now = clock()
local gateway, per_day, per_minute = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local concurrency, lease_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local line_limit, alive_ms, call = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local a = load(now)
if not a then return {NOT_COUNTED, now} end
purge(a, now)
local waiting = redis.call('ZCARD', LINE)
if waiting > 0 then
  serve(a, now)
  waiting = redis.call('ZCARD', LINE)
end
local leases = redis.call('ZCARD', LEASES)
local code = refusal(a, per_day, per_minute)
if not code then
  if waiting == 0 and (concurrency < 0 or leases < concurrency) then
    admit(a, call, lease_ms, now, leases)
    leases = leases + 1
    code = ADMITTED
  elseif waiting >= line_limit then
    code = QUEUE_FULL
  else
    a.seq, a.changed = a.seq + 1, true
    redis.call('ZADD', LINE, a.seq, call)
    redis.call('HSET', WAITS, call, cjson.encode({gateway = gateway, alive = now + alive_ms,
      per_day = per_day, per_minute = per_minute, concurrency = concurrency, lease_ms = lease_ms}))
    redis.call('EXPIRE', LINE, KEEP)
    redis.call('EXPIRE', WAITS, KEEP)
    waiting = waiting + 1
    code = QUEUED
  end
end
save(a)
return standing(a, code, now, leases, waiting)
