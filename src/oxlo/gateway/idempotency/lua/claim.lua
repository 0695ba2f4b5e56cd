-- The answer, who makes it, or the claim. A claim that this gateway has already is one of whose
-- granting it never heard, or of its earlier life.
-- ARGV: gateway, name, fingerprint, lease ms.
local gateway, name = ARGV[1], ARGV[2]
local kept = redis.call('GET', kept_at(name))
if kept then return {'kept', kept} end
local holder, fingerprint = claim_of(name)
if holder and holder ~= gateway then return {'running', fingerprint} end
set_claim(name, gateway, ARGV[3], ARGV[4])
return {'yours', ''}
