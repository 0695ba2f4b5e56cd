-- A call has done with its slot, or waits no longer; who is next is served.
-- ARGV: time, call, replica ("": any).
local now = clock()
leave(ARGV[2])
if ARGV[3] ~= '' then
  redis.call('ZREM', taken(ARGV[3]), ARGV[2])
else
  for _, replica in ipairs(redis.call('HKEYS', REPLICAS)) do
    redis.call('ZREM', taken(replica), ARGV[2])
  end
end
serve(now)
return redis.call('ZCARD', LINE)
