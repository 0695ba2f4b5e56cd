-- Renew the leases of calls that are still in progress. An expired lease is restored with its
-- original charge, as is a charge that Valkey lost with its latest writes. After a flush a lease is
-- restored without a charge, which the settlement makes up for.
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
