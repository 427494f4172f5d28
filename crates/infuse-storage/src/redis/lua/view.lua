-- What is told about a circuit: in answers, and as a message to all that listen.

-- Those of another version are not understood, on either side: polling finds what they tell.
local VERSION = '2'

local function view(c)
  local suspected = c.suspected
  local time_left = 0
  if c.state == 'open' then time_left = left(c.open_until) end
  if c.state == 'half-open' then time_left = trial_in(c) end
  local ramps = is_ramping(c)
  return {
    c.generation,
    c.state,
    time_left,
    c.state == 'closed' and 0 or since(c.opened_at),
    failures(c),
    c.clears,
    left(c.rest_until),
    suspected and suspected.id or '-',
    suspected and suspected.by or '-',
    suspected and since(c.first_failure or now) or '-',
    c.thresholds or '-',
    c.successes,
    c.cause,
    c.by or '-',
    failed_trials(c),
    ramps and c.ramp.time or 0,
    ramps and left(c.ramp.ends) or 0,
    shown_override(c.override),
    shown_opening(c.opening),
    shown_note(c.note),
  }
end

-- The namespace comes last, because it may hold anything.
local function message(c)
  local words = { VERSION }
  for _, value in ipairs(view(c)) do words[#words + 1] = text(value) end
  words[#words + 1] = c.keys.record:sub(1, -1 - #':record')
  return table.concat(words, ' ')
end

local function answer(c)
  local fields = view(c)
  fields[#fields + 1] = c.share or 0
  fields[#fields + 1] = c.granted and 1 or 0
  fields[#fields + 1] = c.found_rubbish and 1 or 0
  for _, what in ipairs({ 'calls', 'failures', 'slow' }) do
    fields[#fields + 1] = c.counts and c.counts[what] or 0
  end
  return fields
end
