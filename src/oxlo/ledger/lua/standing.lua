-- The account's standing. ARGV: time.
local now = clock()
local a = load(now)
if not a then return {NOT_COUNTED, now} end
purge(a, now)
serve(a, now)
save(a)
return standing(a, ADMITTED, now)
