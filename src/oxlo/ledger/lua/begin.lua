-- Store an account's usage, known from its receipts. The first gateway to report it wins.
-- ARGV: time, epoch, day, used, minute, used, refunds, as of (microseconds).
local now = clock()
if redis.call('EXISTS', COUNTS) == 0 then
  redis.call('HSET', COUNTS, 'epoch', ARGV[2], 'day', ARGV[3], 'day_used', ARGV[4],
    'minute', ARGV[5], 'minute_used', ARGV[6], 'refunds', ARGV[7],
    'as_of', string.format('%.3f', tonumber(ARGV[8]) / 1000), 'seq', 0)
  redis.call('EXPIRE', COUNTS, KEEP)
end
local a = load(now)
save(a)
return standing(a, ADMITTED, now)
