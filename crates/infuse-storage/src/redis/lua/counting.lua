-- Failures as shares, and the suspicion that they raise.

local RENEWALS = 3

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

local function set_share(c, who, share)
  share = share > 0 and share or nil
  if c.shares[who] ~= share then
    c.shares[who] = share
    c.dirty = true
  end
  local first = c.first_failure
  if share then
    first = first or now
  elseif not next(c.shares) then
    first = false
  end
  if first ~= c.first_failure then
    c.first_failure, c.dirty = first, true
  end
end

local function set_thresholds(c, limits)
  if c.thresholds ~= limits then
    c.thresholds = limits
    c.dirty = true
  end
end

-- Whether there are so many failures, and so many who have seen some. Strangers are one.
local function has_shares(c, most, processes)
  local seen = c.theirs > 0 and 1 or 0
  for _ in pairs(c.shares) do seen = seen + 1 end
  return failures(c) >= most and seen >= processes
end

-- A share may have fallen, because a call has succeeded there.
local function end_suspicion_of_less(c)
  if has_shares(c, c.suspected.max_failure, c.suspected.min_reporters) then return end
  c.suspected = false
  if c.lifted then set_counter(c, c.theirs) end
  c.dirty, c.pushed = true, true
end

-- The id of a suspicion that is raised now.
local function next_suspicion(c)
  c.last_raised = math.max(now, c.last_raised + 1)
  return c.last_raised
end

-- Judges the shares after a report.
local function suspect(c, who, limits, rest, lapse)
  if c.suspected then
    end_suspicion_of_less(c)
    return
  end
  if not c.shares[who] or not has_shares(c, limits.max_failure, limits.min_reporters) then
    return
  end
  c.suspected = {
    id = next_suspicion(c), by = who, at = now, renewals = 0, rest = rest, lapse = lapse,
    max_failure = limits.max_failure, min_reporters = limits.min_reporters,
  }
  -- A stranger's success sets it to 0, and clears the suspicion by that.
  if counter(c) == 0 then
    c.to_write.fail_counter, c.lifted = 1, true
  end
  c.dirty, c.pushed = true, true
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
