-- The state of queued calls, polled by their gateway; expired leases are given to the queue.
-- ARGV: time, alive ms, then the calls. Returns the standing, then for each call: "" if it waits,
-- "-" if it is unknown, or the charge with which it was admitted.
local now = clock()
local alive = now + tonumber(ARGV[2])
local a = load(now)
if not a then return {NOT_COUNTED, now} end
local found = {}
for i = 3, #ARGV do
  local call = ARGV[i]
  local wait = redis.call('HGET', WAITS, call)
  if wait then
    wait = cjson.decode(wait)
    wait.alive = alive
    redis.call('HSET', WAITS, call, cjson.encode(wait))
    found[#found + 1] = ''
  else
    found[#found + 1] = redis.call('HGET', OPEN, call) or '-'
  end
end
purge(a, now)
serve(a, now)
save(a)
local said = standing(a, ADMITTED, now)
for _, each in ipairs(found) do said[#said + 1] = each end
return said
