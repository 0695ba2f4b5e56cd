-- Renew the leases and queue positions of calls that are still in progress.
-- ARGV: time, lease ms, alive ms, number of replicas, each replica's name and number of slots,
-- number of calls with a slot, each one's id and replica, then the waiting calls. Returns for each
-- waiting call: its position (0 is next), "-" if it is unknown, or the replica whose slot it got.
local now = clock()
local ends, alive = now + tonumber(ARGV[2]), now + tonumber(ARGV[3])
local at = 4 + 2 * tonumber(ARGV[4]) -- index of the last replica
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
