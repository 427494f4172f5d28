-- What is presented, and what is commanded.

-- How many commands are remembered, to tell their repeats.
local COMMANDS = 8

local function mend(c, presented)
  local stored_left = c.state == 'open' and left(c.open_until) or 0
  local presented_left = presented.state == 'open' and presented.time_left or 0
  local time_left = math.max(stored_left, presented_left)
  local state = time_left > 0 and 'open' or presented.state
  if state == 'open' then time_left = math.max(time_left, left(c.held_until)) end
  local differs = state ~= presented.state or time_left ~= presented_left
  local opened_at = c.state == 'closed' and now or c.opened_at
  local failed = state ~= 'closed' and failed_trials(c) or 0
  local opening = opening_from_now(presented.opening) or c.opening
  change(c, state, 'adopted', false)
  c.opened_at, c.open_until = opened_at, now + time_left
  c.failed_trials = failed
  if state ~= 'closed' and opening then c.opening = opening end
  -- Whoever presents a newer circuit knows what became of an override that is stored.
  c.override = override_from_now(presented.override)
  c.generation = math.min(presented.generation + (differs and 1 or 0), MOST_GENERATION)
end

-- Compares with what was presented, mends a record that has lost writes, and says whether the
-- verb applies: it does not to one who knows less than the record.
local function compare(c, presented)
  if c.suspected and since(c.suspected.at) >= c.suspected.lapse then lapse(c) end
  if c.held_until <= now then c.held_until = 0 end
  if presented.generation <= c.generation then return presented.generation == c.generation end
  mend(c, presented)
  return true
end

-- Whether a command is no repeat. It is remembered.
local function is_new(c, token)
  for _, known in ipairs(c.commands) do
    if known == token then return false end
  end
  if #c.commands == COMMANDS then table.remove(c.commands, 1) end
  c.commands[#c.commands + 1] = token
  return true
end

-- Puts a circuit into a state. What was before is of no interest any more.
local function put(c, token, state, open_time, why, note)
  change(c, state, why, owner(token), nil, note)
  c.failed_trials, c.held_until = 0, 0
  if state == 'open' then c.open_until = now + open_time end
end
