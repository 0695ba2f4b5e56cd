-- End a claim without an answer. ARGV: gateway, name.
end_claim(ARGV[2], ARGV[1])
return {'released', ''}
