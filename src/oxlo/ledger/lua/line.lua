-- How calls in line stand, for a gateway that still waits for them; dead leases go to the line.
-- ARGV: time, alive ms, then the calls. Answers the standing, then for each call: "" waits, "-" is
-- not known here, or the charge that it was admitted with.
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
