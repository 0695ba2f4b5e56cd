-- The stored response, the call in progress, or the claim. A claim that this gateway already holds
-- is granted again: it never received the reply, or was restarted since.
-- ARGV: gateway, name, fingerprint, lease ms.
local gateway, name = ARGV[1], ARGV[2]
local kept = redis.call('GET', kept_at(name))
if kept then return {'kept', kept} end
local holder, fingerprint = claim_of(name)
if holder and holder ~= gateway then return {'running', fingerprint} end
set_claim(name, gateway, ARGV[3], ARGV[4])
return {'yours', ''}
