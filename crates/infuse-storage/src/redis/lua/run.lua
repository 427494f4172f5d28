-- KEYS: five for each circuit. ARGV: the channel, and for each circuit what is presented, with the
-- override and what opened the circuit, how long a stranger's opening lasts, and what the verb
-- takes.

local circuits = #KEYS / 5
local width = (#ARGV - 1) / circuits
local answers, messages = {}, {}

for at = 1, circuits do
  local c = load((at - 1) * 5 + 1)
  local first = (at - 1) * width + 2
  local presented = {
    generation = tonumber(ARGV[first]),
    state = ARGV[first + 1],
    time_left = tonumber(ARGV[first + 2]),
    override = ARGV[first + 3],
    opening = ARGV[first + 4],
  }
  heed_strangers(c, presented, tonumber(ARGV[first + 5]))
  act(c, presented, unpack(ARGV, first + 6, first + width - 1))
  save(c)
  answers[at] = answer(c)
  if c.pushed then messages[#messages + 1] = message(c) end
end

-- Last, and by `pcall`: who may not publish has written all the same.
for _, told in ipairs(messages) do redis.pcall('PUBLISH', ARGV[1], told) end

return answers
