-- End a call, wherever it stands: give back what does not count, free its lease, serve the line.
-- Settling again does nothing. A call of an earlier epoch is charged here if it counts and the
-- present counts were taken before it ended.
-- ARGV: time, call, counts for the day, for the minute, whether it uses up a refund (0 or 1), when
-- it ended (microseconds), its charge ("" when not known). Answers when it was done (ms): nobody waits
-- for how the account stands then.
local now = clock()
local call, counted, minute_counted = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local refund, ended, given = tonumber(ARGV[5]), tonumber(ARGV[6]) / 1000, ARGV[7]
local a = load(now)
local open, lost = redis.call('HGET', OPEN, call), false
redis.call('HDEL', OPEN, call)
if redis.call('ZREM', LEASES, call) == 0 then -- else it neither waits nor is lost
  leave_line(call)
  lost = redis.call('ZREM', LOST, call) == 1
end
if not a then return now end -- it is counted from the journal
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
