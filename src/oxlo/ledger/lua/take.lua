-- Take a slot of the first replica that has one, or stand in the model's line.
-- ARGV: time, call, gateway, level, account, cost, lease ms, alive ms, line limit, ms until due,
-- then for each replica in the order of preference: its name and its slots.
local now = clock()
local call, lease_ms = ARGV[2], tonumber(ARGV[7])
local replicas = {}
for i = 11, #ARGV, 2 do
  replicas[#replicas + 1] = ARGV[i]
  redis.call('HSET', REPLICAS, ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', REPLICAS, KEEP)
local waiting = redis.call('ZCARD', LINE)
if waiting > 0 then
  serve(now)
  waiting = redis.call('ZCARD', LINE)
end
if waiting == 0 then
  for i = 11, #ARGV, 2 do
    if take(call, ARGV[i], tonumber(ARGV[i + 1]), lease_ms, now) then return {'taken', ARGV[i]} end
  end
end
if waiting >= tonumber(ARGV[9]) then return {'full', waiting} end
stand(call, {gateway = ARGV[3], level = tonumber(ARGV[4]), account = ARGV[5],
  cost = tonumber(ARGV[6]), lease_ms = lease_ms, alive = now + tonumber(ARGV[8]),
  replicas = replicas}, now + tonumber(ARGV[10]))
return {'waits', waiting + 1}
