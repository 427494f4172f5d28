-- What happens to a circuit. The reference is the embedded storage.

local RENEWALS = 3
-- How many commands are remembered, to tell their repeats.
local COMMANDS = 8

-- How long ago that was.
local function since(time) return math.max(0, now - time) end
-- How long until then.
local function left(time) return math.max(0, time - now) end

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

local function change(c, to, why, by)
  if to == 'open' or (to == 'half-open' and c.state == 'closed') then c.opened_at = now end
  c.opens = c.opens or to == 'open'
  c.generation = math.min(c.generation + 1, MOST_GENERATION)
  c.state, c.cause, c.by = to, why, by
  c.changed_at, c.open_until, c.rest_until = now, now, now
  c.successes, c.leases = 0, {}
  c.shares, c.first_failure, c.clears = {}, false, 0
  c.suspected, c.awaits_opened_at = false, false
  if to == 'closed' then
    set_counter(c, 0)
  elseif c.lifted then
    set_counter(c, c.theirs)
  end
  c.dirty, c.pushed = true, true
end

-- A call has succeeded since the failures that were counted.
local function drop_shares(c)
  c.shares, c.first_failure = {}, false
  c.clears = math.min(c.clears + 1, MOST_GENERATION)
  if c.suspected then c.rest_until = now + c.suspected.rest end
  c.suspected = false
  set_counter(c, 0)
end

local function drop_refuted(c, last_success)
  if not last_success or not c.first_failure or last_success > since(c.first_failure) then
    return
  end
  if c.suspected then c.pushed = true end
  drop_shares(c)
end

-- The id of a suspicion that is raised now.
local function next_suspicion(c)
  c.last_raised = math.max(now, c.last_raised + 1)
  return c.last_raised
end

local function stands(c, in_generation, id)
  return c.suspected and in_generation == c.generation and id == c.suspected.id
end

-- Nobody has settled the suspicion: one failure less is counted than it takes.
local function lapse(c)
  local rest = math.max(0, c.suspected.max_failure - 1 - c.theirs)
  local processes = {}
  for who in pairs(c.shares) do processes[#processes + 1] = who end
  table.sort(processes)
  for _, who in ipairs(processes) do
    local share = math.min(c.shares[who], rest)
    rest = rest - share
    c.shares[who] = share > 0 and share or nil
  end
  if not next(c.shares) then c.first_failure = false end
  c.suspected = false
  if c.lifted then set_counter(c, c.theirs) end
  c.dirty = true
end

-- The suspicion was settled too late for anybody to have cleared it.
local function renew(c)
  local id = next_suspicion(c)
  if c.suspected.renewals < RENEWALS then
    c.suspected.id, c.suspected.at = id, now
    c.suspected.renewals = c.suspected.renewals + 1
  else
    lapse(c)
  end
  c.dirty, c.pushed = true, true
end

local function running(c)
  local leases = {}
  for _, lease in ipairs(c.leases) do
    if now < lease.ends then leases[#leases + 1] = lease end
  end
  return leases
end

-- How long until there is a place for a trial, if nobody gives one back.
local function place_in(c)
  local leases, first = running(c), nil
  if #leases < c.max_calls then return 0 end
  for _, lease in ipairs(leases) do first = math.min(first or lease.ends, lease.ends) end
  return left(first or now)
end

-- Compares with what was presented, mends a record that has lost writes, and says whether the
-- verb applies: it does not to one who knows less than the record.
local function compare(c, presented)
  if c.suspected and since(c.suspected.at) >= c.suspected.lapse then lapse(c) end
  if presented.generation <= c.generation then return presented.generation == c.generation end
  local stored_left = c.state == 'open' and left(c.open_until) or 0
  local presented_left = presented.state == 'open' and presented.time_left or 0
  local time_left = math.max(stored_left, presented_left)
  local state = time_left > 0 and 'open' or presented.state
  local differs = state ~= presented.state or time_left ~= presented_left
  local opened_at = c.state == 'closed' and now or c.opened_at
  change(c, state, 'adopted', false)
  c.opened_at, c.open_until = opened_at, now + time_left
  c.generation = math.min(presented.generation + (differs and 1 or 0), MOST_GENERATION)
  return true
end

-- Puts a circuit into a state by a command, once.
local function put(c, token, state, open_time, why)
  for _, known in ipairs(c.commands) do
    if known == token then return end
  end
  change(c, state, why, owner(token))
  if state == 'open' then c.open_until = now + open_time end
  if #c.commands == COMMANDS then table.remove(c.commands, 1) end
  c.commands[#c.commands + 1] = token
end
