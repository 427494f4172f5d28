-- When a trial may run.

local function running(c)
  local leases = {}
  for _, lease in ipairs(c.leases) do
    if now < lease.ends then leases[#leases + 1] = lease end
  end
  return leases
end

-- How long until a half-open circuit has a place for a trial, if nobody gives one back.
local function trial_in(c)
  local held = left(c.held_until)
  local leases, first = running(c), nil
  if #leases < c.max_calls then return held end
  for _, lease in ipairs(leases) do first = math.min(first or lease.ends, lease.ends) end
  return math.max(held, left(first or now))
end

-- The service asked to be left alone for so long.
local function hold_off(c, for_so_long)
  local ends = now + for_so_long
  if for_so_long == 0 or ends <= c.held_until then return end
  local before = trial_in(c)
  c.held_until, c.dirty = ends, true
  if c.state == 'open' and ends > c.open_until then
    c.open_until, c.pushed = ends, true
  elseif c.state == 'half-open' and trial_in(c) > before then
    c.pushed = true
  end
end
