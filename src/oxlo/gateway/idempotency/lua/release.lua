-- End a claim without a response. ARGV: gateway, name.
end_claim(ARGV[2], ARGV[1])
return {'released', ''}
