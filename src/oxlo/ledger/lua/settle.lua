-- Settle a call in whatever state: refund what does not count, free its lease, serve the queue.
-- Idempotent. A call of an earlier epoch is charged here if it counts and the present counts were
-- taken before it ended.
-- ARGV: time, call, whether it counts for the day, for the minute, whether it uses up a refund (0
-- or 1), end time (microseconds), charge ("" if unknown). Returns the time (ms) rather than the
-- account's standing, which no caller needs.
local now = clock()
local call, counted, minute_counted = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local refund, ended, given = tonumber(ARGV[5]), tonumber(ARGV[6]) / 1000, ARGV[7]
local a = load(now)
local open, lost = redis.call('HGET', OPEN, call), false
redis.call('HDEL', OPEN, call)
if redis.call('ZREM', LEASES, call) == 0 then -- with a lease it is neither queued nor lost
  leave_line(call)
  lost = redis.call('ZREM', LOST, call) == 1
end
if not a then return now end -- its receipt will be counted
purge(a, now)
if open == '-' then
  redis.call('HSET', OPEN, call, '-')
  redis.call('ZADD', LOST, now, call)
else
  local day, minute, epoch = charge_of(open or given)
  if epoch == a.epoch then
    if lost then
      add(a, day, minute, counted, minute_counted)
    elseif open then
      add(a, day, minute, counted - 1, minute_counted - 1)
    end
    if (lost or open) and refund == 1 then a.refunds, a.changed = a.refunds + 1, true end
  elseif epoch and ended > a.as_of then
    add(a, day, minute, counted, minute_counted)
    redis.call('HSET', OPEN, call, '-')
    redis.call('ZADD', LOST, now, call)
    redis.call('EXPIRE', OPEN, KEEP)
    redis.call('EXPIRE', LOST, KEEP)
  end
end
serve(a, now)
save(a)
return now
