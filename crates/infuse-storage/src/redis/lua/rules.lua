-- What happens to a circuit. The reference is the embedded storage.

-- What the key `fail_counter` holds when all is written.
local function counter(c)
  return c.to_write.fail_counter or c.plain.fail_counter or 0
end

local function set_counter(c, value)
  c.to_write.fail_counter = value
  c.theirs = value
  c.lifted = false
  c.dirty = true
end

local function failures(c)
  -- The strangers' own count goes on while a circuit is open: what it says then is old.
  local sum = c.state == 'closed' and c.theirs or 0
  for _, share in pairs(c.shares) do sum = sum + share end
  return math.min(sum, MOST_COUNT)
end

local function is_ramping(c)
  return c.ramp and now < c.ramp.ends
end

-- Trials that failed since the circuit was last closed for good.
local function failed_trials(c)
  return c.state == 'closed' and not is_ramping(c) and 0 or c.failed_trials
end

-- What they are once it has that state anew.
local function failed_trials_after(c, to)
  if to == 'closed' then return 0 end
  if to == 'half-open' then return failed_trials(c) end
  -- A circuit that was on trial, or still recovering from one.
  if c.state ~= 'closed' or is_ramping(c) then return math.min(c.failed_trials + 1, MOST_COUNT) end
  return 0
end

-- A new generation: what was counted is over, and so are leases.
local function begin_generation(c)
  c.generation = math.min(c.generation + 1, MOST_GENERATION)
  c.leases = {}
  c.shares, c.first_failure, c.clears, c.rest_until = {}, false, 0, now
  c.buckets, c.reporters = {}, {}
  c.suspected = false
  if c.lifted then set_counter(c, c.theirs) end
  c.dirty, c.pushed = true, true
end

-- What opened the circuit, once it has that state anew.
local function opening_after(c, to, why, by, fault, note)
  if to == 'closed' then return false end
  local is_asked_for = why == 'manual' or why == 'seed'
  if c.opening and to == 'half-open' then return c.opening end
  if c.opening and not is_asked_for then return with_fault(c.opening, fault) end
  return new_opening(why, by, fault, note)
end

-- A new generation in which the circuit has a state anew.
local function change(c, to, why, by, fault, note)
  c.failed_trials, c.ramp = failed_trials_after(c, to), false
  if to == 'closed' then c.held_until = 0 end
  begin_generation(c)
  if to == 'open' or (to == 'half-open' and c.state == 'closed') then c.opened_at = now end
  c.opens = c.opens or to == 'open'
  c.opening, c.note = opening_after(c, to, why, by, fault, note), note or false
  c.state, c.cause, c.by = to, why, by
  c.changed_at, c.open_until = now, now
  c.successes, c.awaits_opened_at = 0, false
  if to == 'closed' then set_counter(c, 0) end
end

-- Opens for a time, or for as long as the service asked for.
local function open(c, why, by, open_time, fault)
  change(c, 'open', why, by, fault)
  c.open_until = math.max(now + open_time, c.held_until)
end

-- Closes because trials succeeded. It may yet turn out that they were too few.
local function close(c, by, ramp_time)
  local failed = c.failed_trials
  change(c, 'closed', 'trial-succeeded', by)
  c.ramp = ramp_time > 0 and { time = ramp_time, ends = now + ramp_time }
  c.failed_trials = failed
end
