-- Processes that know the plain keys only: `state`; `opened_at`, written after it; `fail_counter`,
-- which they count up at a failure and set to 0 at a success.

local function adopt(c, state, open_time)
  local opened_at, theirs = c.plain.opened_at, c.theirs
  change(c, state, 'adopted', false)
  -- What they wrote stays as it is.
  c.opens = false
  if state == 'closed' then c.to_write.fail_counter, c.theirs = nil, theirs end
  if state == 'open' then
    -- Their clock is not compared with ours: it runs from now. Of a service that asked to be left
    -- alone they do not know.
    c.open_until = math.max(now + open_time, c.held_until)
    c.awaits_opened_at = not opened_at or opened_at == c.seen_opened_at
  end
end

-- Whether it was opened anew between two looks: a trial of theirs has failed.
local function is_reopened(c)
  local opened_at = c.plain.opened_at
  return c.state == 'open' and opened_at and opened_at ~= c.seen_opened_at
    and not c.awaits_opened_at
end

local function heed_state(c, presented, open_time)
  local state = c.plain.state
  if not c.stored then
    -- Beside a record that was rubbish it is most likely ours, and what is presented knows more.
    local ours = presented.generation > 0 and (c.rubbish.record or state == presented.state)
    if state and state ~= 'closed' and not ours then adopt(c, state, open_time) end
  elseif not state then
    c.dirty = true
  elseif state ~= c.state or is_reopened(c) then
    adopt(c, state, open_time)
  end
end

local function heed_opened_at(c)
  local opened_at = c.plain.opened_at
  if opened_at == (c.seen_opened_at or nil) then return end
  if opened_at then
    c.seen_opened_at, c.awaits_opened_at = opened_at, false
  else
    c.to_write.opened_at = c.seen_opened_at
  end
  c.dirty = c.dirty or c.stored
end

local function heed_counter(c)
  if c.rubbish.fail_counter then
    if c.stored then
      set_counter(c, c.suspected and 1 or 0)
      c.lifted, c.theirs = c.suspected ~= false, 0
    end
  elseif c.suspected and counter(c) == 0 then
    -- It was at least 1: one of their calls has succeeded.
    drop_shares(c)
    c.pushed = true
  end
end

local function heed_strangers(c, presented, open_time)
  heed_state(c, presented, open_time)
  heed_opened_at(c)
  heed_counter(c)
end
