-- Renew the claims of calls in progress, and restore those that were lost.
-- ARGV: gateway, lease ms, then for each claim its name and its fingerprint.
for i = 3, #ARGV, 2 do
  local holder = claim_of(ARGV[i])
  if not holder or holder == ARGV[1] then set_claim(ARGV[i], ARGV[1], ARGV[i + 1], ARGV[2]) end
end
return {'held', ''}
