-- The time, in microseconds since 1970: one for all that a script does. Numbers are doubles, exact
-- up to 2^53, which is the year 2255.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
