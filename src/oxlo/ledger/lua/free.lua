-- Release a call's slot or its place in the queue, then serve the queue.
-- ARGV: time, call, replica ("": unknown whether it has a slot).
local now = clock()
local call, replica = ARGV[2], ARGV[3]
if replica == '' or redis.call('ZREM', taken(replica), call) == 0 then
  leave(call)
  for _, each in ipairs(redis.call('HKEYS', REPLICAS)) do redis.call('ZREM', taken(each), call) end
end
local waiting = redis.call('ZCARD', LINE)
if waiting > 0 then serve(now) end
return {waiting}
