-- The owner of these calls lives: their leases go on, and so do their places in the line.
-- ARGV: time, lease ms, alive ms, the number of replicas, for each its name and its slots, the number
-- of calls with a slot, for each its name and its replica, then calls that wait. Answers for each
-- of those: its place (0 is next), "-" when it is not known here, or the replica that it was given.
local now = clock()
local ends, alive = now + tonumber(ARGV[2]), now + tonumber(ARGV[3])
local at = 4 + 2 * tonumber(ARGV[4]) -- the last of the replicas
redis.call('DEL', REPLICAS)
for i = 5, at, 2 do redis.call('HSET', REPLICAS, ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', REPLICAS, KEEP)
local last = at + 1 + 2 * tonumber(ARGV[at + 1])
for i = at + 2, last, 2 do
  redis.call('ZADD', taken(ARGV[i + 1]), ends, ARGV[i])
  redis.call('EXPIRE', taken(ARGV[i + 1]), KEEP)
end
local found = {}
for i = last + 1, #ARGV do
  local text = redis.call('HGET', WAITS, ARGV[i])
  if text then
    local wait = cjson.decode(text)
    wait.alive = alive
    redis.call('HSET', WAITS, ARGV[i], cjson.encode(wait))
    found[#found + 1] = redis.call('ZRANK', LINE, wait.member) or 0
  else
    local given = '-'
    for _, replica in ipairs(redis.call('HKEYS', REPLICAS)) do
      if redis.call('ZSCORE', taken(replica), ARGV[i]) then given = replica end
    end
    found[#found + 1] = given
  end
end
serve(now)
return found
