-- Take a slot of the first replica that has one, or join the model's queue.
-- ARGV: time, gateway, level, lease ms, alive ms, queue limit, ms until due, call, account, cost,
-- then for each replica in order of preference: its name and number of slots.
local now = clock()
local call, lease_ms = ARGV[8], tonumber(ARGV[4])
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
if waiting >= tonumber(ARGV[6]) then return {'full', waiting} end
local replicas = {}
for i = 11, #ARGV, 2 do
  replicas[#replicas + 1] = ARGV[i]
  redis.call('HSET', REPLICAS, ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', REPLICAS, KEEP)
stand(call, {gateway = ARGV[2], level = tonumber(ARGV[3]), account = ARGV[9],
  cost = tonumber(ARGV[10]), lease_ms = lease_ms, alive = now + tonumber(ARGV[5]),
  replicas = replicas}, now + tonumber(ARGV[7]))
return {'waits', waiting + 1}
