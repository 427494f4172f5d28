-- KEYS: the group, a hash. ARGV: who.
local gone = redis.pcall('HDEL', KEYS[1], ARGV[1], 't' .. ARGV[1])
if type(gone) == 'table' and not gone.err:find('WRONGTYPE', 1, true) then return gone end
return 1
