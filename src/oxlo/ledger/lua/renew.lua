-- The owner of these calls lives: their leases go on. One that had ended stands again, charged as
-- it was; so does one that was flushed, uncharged: its settlement sees to that.
-- ARGV: time, lease ms, then for each call: its id and its charge.
local now = clock()
local ends = now + tonumber(ARGV[2])
local a = load(now)
local epoch = a and a.epoch
for i = 3, #ARGV, 2 do
  local call, charge = ARGV[i], ARGV[i + 1]
  if redis.call('ZSCORE', LEASES, call) then
    redis.call('ZADD', LEASES, ends, call)
  elseif a and redis.call('ZREM', LOST, call) == 1 then
    local day, minute = charge_of(charge)
    add(a, day, minute, 1, 1)
    redis.call('ZADD', LEASES, ends, call)
  else
    local _, _, of = charge_of(charge)
    if of ~= epoch then
      redis.call('ZADD', LEASES, ends, call)
      redis.call('HSET', OPEN, call, charge)
      redis.call('EXPIRE', LEASES, KEEP)
      redis.call('EXPIRE', OPEN, KEEP)
    end
  end
end
if not a then return {NOT_COUNTED, now} end
save(a)
return standing(a, ADMITTED, now)
