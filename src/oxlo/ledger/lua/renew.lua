-- The owner of these calls lives, and has not settled them: their leases go on. One that had ended
-- stands again, charged as it was, and so does one whose charge Valkey lost with its latest writes.
-- One that was flushed stands uncharged: its settlement sees to that.
-- ARGV: time, lease ms, then for each call: its id and its charge.
local now = clock()
local ends = now + tonumber(ARGV[2])
local a = load(now)
for i = 3, #ARGV, 2 do
  local call, charge = ARGV[i], ARGV[i + 1]
  if not redis.call('ZSCORE', LEASES, call) then
    local day, minute, epoch = charge_of(charge)
    if a and epoch == a.epoch then add(a, day, minute, 1, 1) end
    redis.call('ZREM', LOST, call)
    redis.call('HSET', OPEN, call, charge)
    redis.call('EXPIRE', OPEN, KEEP)
  end
  redis.call('ZADD', LEASES, ends, call)
  redis.call('EXPIRE', LEASES, KEEP)
end
if not a then return {NOT_COUNTED, now} end
save(a)
return standing(a, ADMITTED, now)
